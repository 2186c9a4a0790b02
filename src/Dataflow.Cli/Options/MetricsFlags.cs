using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>What a run writes of its figures beside metrics.jsonl.</summary>
internal sealed class MetricsFlags
{
    private readonly Option<bool> tensorBoard = Declare.Flag(
        "--tensorboard",
        "with --checkpoint: write the figures for TensorBoard too, as event files in the run's folder"
    );
    private readonly Option<int?> histograms = Declare.Option(
        "--histograms",
        "N",
        "every N steps, with --tensorboard and --clip: how weights and gradients of the embedding, each layer and the head are spread",
        Values.OptionalCount(1, int.MaxValue)
    );

    /// <summary>All of them, in the order in which people should read them.</summary>
    public IEnumerable<Option> All => [tensorBoard, histograms];

    /// <summary>Options of a run with what was given.</summary>
    public TrainingOptions Bind(ParseResult parsed, TrainingOptions run) =>
        run with { TensorBoard = parsed.GetValue(tensorBoard), Histograms = parsed.GetValue(histograms) ?? 0 };
}
