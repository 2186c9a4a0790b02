using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>Which runs a page is of, and whether it is served.</summary>
/// <param name="Folders">Of the runs.</param>
/// <param name="Port">Where it is served, 0 for any port; null: it is written.</param>
/// <param name="Address">The address that it is served at.</param>
internal sealed record RunPageOptions(IReadOnlyList<string> Folders, int? Port, IPAddress Address);

/// <summary>The options of report that are about runs.</summary>
internal sealed class RunPageFlags
{
    private readonly Option<string[]?> runs = Declare.Several(
        "--run",
        "DIR...",
        "runs' folders, those of their --checkpoint: a page of loss, rate, norms, speed, memory and more, on which several runs are drawn "
            + "over each other",
        Values.FilePath,
        together: true
    );
    private readonly Option<int?> serve = new("--serve")
    {
        HelpName = "PORT",
        Description =
            "with --run: serve the page to browsers of this machine, and keep it up to date while the runs go on [default: any port]",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = Declare.Parser<int?>("--serve", text => text is null ? 0 : (int)Values.Whole(text, 0, ushort.MaxValue)),
    };
    private readonly Option<IPAddress?> listen = Declare.Option<IPAddress?>(
        "--listen",
        "ADDRESS",
        "with --serve: the address to listen on, as 0.0.0.0; whoever opens the page then needs the token that is printed [default: "
            + "127.0.0.1]",
        text => IPAddress.TryParse(text, out var address)
            ? address
            : throw new UserErrorException(
                $"'{text}' is no address; give one of this machine's, as 192.168.1.5, or 0.0.0.0 for all of them")
    );

    /// <summary>All of them, in the order in which people should read them.</summary>
    public IEnumerable<Option> All => [runs, serve, listen];

    /// <summary>What was given; null where no run was.</summary>
    public RunPageOptions? Bind(ParseResult parsed) => parsed.GetValue(runs) is { Length: > 0 } folders
        ? new RunPageOptions(
            folders, parsed.WasGiven(serve) ? parsed.GetValue(serve) ?? 0 : null, parsed.GetValue(listen) ?? IPAddress.Loopback)
        : null;

    /// <summary>Refuses what cannot act.</summary>
    /// <exception cref="UserErrorException">Something was given that is about the other kind of report, or nothing was.</exception>
    public void CheckNeeds(ParseResult parsed, Argument<string[]> files, Option[] ofFiles, Option output)
    {
        parsed.Need(serve, runs);
        parsed.Need(listen, serve);
        bool hasFiles = parsed.GetValue(files) is { Length: > 0 };
        if (!parsed.WasGiven(runs))
        {
            if (!hasFiles)
            {
                throw new UserErrorException("<files> is missing: name result files, or a run's folder by --run DIR");
            }

            return;
        }

        if (hasFiles || ofFiles.FirstOrDefault(parsed.WasGiven) is not null)
        {
            string what = hasFiles ? "result files" : ofFiles.First(parsed.WasGiven).Name;
            throw new UserErrorException($"--run makes a page of runs, which {what} have no part in; give one or the other");
        }

        if (parsed.WasGiven(serve) == parsed.WasGiven(output))
        {
            throw new UserErrorException(
                "--run needs --out DIR, to write the page, or --serve, to look at it while runs go on: give one of them");
        }
    }
}
