using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow frontier: how little memory models can do with.</summary>
internal static class FrontierVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow frontier 8b 32b --seqlen 8192,131072 --dtype bf16",
        "dataflow frontier nano micro 8b@1048576 --dtype bf16 --out frontier.md",
    ];

    private static readonly string[] DefaultModels = ["nano", "micro", "1b", "8b", "32b", "70b"];
    private const int CommitDigits = 40;
    private static readonly int[] DefaultSeqlens = [512, 8192, 131072];

    /// <summary>What was asked for.</summary>
    private sealed record Wanted(string[] Models, int[] Seqlens, bool Hashes, string? Note, string? Out, bool Json);

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "frontier",
            "Says how little device memory and how little host memory models can be trained in, and what takes it."
        );
        var models = new Argument<string[]>("models")
        {
            Description = $"as for plan, or MODEL@SEQLEN for a length of its own [default: {string.Join(' ', DefaultModels)}]",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var seqlens = Declare.Option(
            "--seqlen",
            "N,N",
            $"tokens of a sequence, one or several [default: {string.Join(',', DefaultSeqlens)}]",
            Values.Seqlens
        );
        var hashes = Declare.Flag("--hashes", "plan every point as well and print the plans' hashes; long sequences take a while");
        var note = Declare.Option<string?>("--note", "TEXT", "a line for the head, such as the commit", t => t);
        var file = Declare.Option<string?>(
            "--out",
            "FILE",
            "write there, in Markdown unless --json is given, instead of printing",
            Values.FilePath
        );
        var json = Declare.Flag("--json", "print one JSON object");
        var geometry = new GeometryFlags();
        command.Arguments.Add(models);
        command.Options.Add(seqlens);
        geometry.AddTo(command);
        Option[] own = [hashes, note, file, json];
        foreach (var option in own)
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed => (int)Execute(
            new Wanted(
                parsed.GetValue(models) is { Length: > 0 } given ? given : DefaultModels,
                parsed.GetValue(seqlens) is { Length: > 0 } lengths ? lengths : DefaultSeqlens,
                parsed.GetValue(hashes), parsed.GetValue(note), parsed.GetValue(file), parsed.GetValue(json)),
            // A function of the sources: what this machine has plays no part.
            (model, seqlen) => geometry.Bind(parsed, model, seqlen, device: null, host: null) with { Device = DeviceOptions.Cpu }));
        return command;
    }

    private static ExitCode Execute(Wanted wanted, Func<string, int, PlanOptions> bind)
    {
        using var file = wanted.Out is { } path ? AtomicFile.Create(path) : null;
        var rows = new List<FrontierRow>();
        foreach (var (model, seqlen) in wanted.Models.SelectMany(m => Cases(m, wanted.Seqlens)))
        {
            var settings = bind(model, seqlen);
            using var source = Notices.Open(model).Trained(settings);
            var request = settings.Request(source.Model, settings.Kind, FrontierRow.NoBudget);
            rows.Add(Waiting.For($"{model} at {seqlen}", () => FrontierRow.Of(request, wanted.Hashes)));
        }

        if (file is null)
        {
            Write(Console.Out, rows, wanted);
            return ExitCode.Ok;
        }

        using var output = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        Write(output, rows, wanted);
        file.Write(Encoding.UTF8.GetBytes(output.ToString()));
        file.Commit();
        return ExitCode.Ok;
    }

    private static void Write(TextWriter output, List<FrontierRow> rows, Wanted wanted)
    {
        if (wanted.Json)
        {
            output.WriteLine(
                new JsonObject { ["note"] = wanted.Note, ["frontier"] = new JsonArray([.. rows.Select(r => r.ToJson())]) }.ToJsonString()
            );
        }
        else
        {
            FrontierReport.Write(output, rows, wanted.Note, markdown: wanted.Out is not null);
        }
    }

    /// <summary>"8b" at every length, "8b@1048576" at that one; without a number behind it an @ is part of a name.</summary>
    private static IEnumerable<(string Model, int Seqlen)> Cases(string model, int[] seqlens)
    {
        int at = model.LastIndexOf('@');
        string length = model[(at + 1)..];
        bool own = at >= 0 && length.Length is > 0 and < CommitDigits
            && char.IsAsciiDigit(length[0]) && length.All(char.IsAsciiLetterOrDigit);
        return own ? [(model[..at], Values.Seqlen(length))] : seqlens.Select(s => (model, s));
    }
}
