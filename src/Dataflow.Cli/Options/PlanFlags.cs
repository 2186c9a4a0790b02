using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>Model, sequence length and budgets as the verbs of dataflow take them, and the options of the geometry.</summary>
internal sealed class PlanFlags
{
    /// <summary>What a model may be.</summary>
    public const string AboutModel =
        "a JSON config, a folder with a config.json, a name in models/, or hf:owner/name of the hub (see fetch)";

    private readonly Argument<string> model = Declare.Argument("model", AboutModel, Values.FilePath);
    private readonly Option<int?> seqlen = Declare.Option<int?>("--seqlen", "N", "tokens of a sequence, for example 4096 or 4k", t =>
        Values.Seqlen(t)
    );
    private readonly Option<Bytes?> device = Declare.Option<Bytes?>(
        "--device-memory",
        "SIZE",
        "device memory budget, for example 24GiB; a plain number is GiB [default: a GPU's own, or a quarter of the free memory of a CPU]",
        t => Values.Size(t)
    );
    private readonly Option<Bytes?> host = Declare.Option<Bytes?>(
        "--host-memory",
        "SIZE",
        "host memory budget [default: 80% of what is free; on a CPU less the device budget]",
        t => Values.Size(t)
    );
    private readonly GeometryFlags geometry = new();

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command, bool ofSteps = true, bool ofRows = true)
    {
        command.Arguments.Add(model);
        command.Options.Add(seqlen);
        command.Options.Add(device);
        command.Options.Add(host);
        geometry.AddTo(command, ofSteps, ofRows);
    }

    /// <summary>The positional argument alone.</summary>
    public string ModelPath(ParseResult parsed) => parsed.GetRequiredValue(model);

    /// <summary>The budgets alone.</summary>
    public (Bytes? Device, Bytes? Host) Budgets(ParseResult parsed) => (parsed.GetValue(device), parsed.GetValue(host));

    /// <summary>What was given.</summary>
    /// <exception cref="UserErrorException">No sequence length.</exception>
    public PlanOptions Bind(ParseResult parsed) => Bind(parsed, seqlenElse: null);

    /// <summary>The tokens of a sequence alone; null where they were not given.</summary>
    public int? Seqlen(ParseResult parsed) => parsed.GetValue(seqlen);

    /// <summary>What was given, with a sequence length where none was.</summary>
    /// <exception cref="UserErrorException">No sequence length.</exception>
    public PlanOptions Bind(ParseResult parsed, int? seqlenElse) =>
        geometry.Bind(
            parsed,
            parsed.GetRequiredValue(model),
            parsed.GetValue(seqlen) ?? seqlenElse
                ?? throw new UserErrorException("--seqlen is missing; give the tokens of a sequence, for example --seqlen 1024"),
            parsed.GetValue(device),
            parsed.GetValue(host)
        );
}
