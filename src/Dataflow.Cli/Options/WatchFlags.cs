using System.CommandLine;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>What a run looks for in its own numbers.</summary>
internal sealed class WatchFlags
{
    private readonly Option<NonFiniteSteps?> onNonFinite = Declare.Option<NonFiniteSteps?>(
        "--on-non-finite",
        "stop|skip",
        "what becomes of a step whose loss or gradients are not finite: it ends the run, or, with --clip, it leaves weights and optimizer "
            + $"state as they are and the next rows follow; more than {WatchOptions.MostSkipped} such steps in a row end the run all the "
            + "same [default: stop]",
        t => Values.NonFiniteSteps(t)
    );
    private readonly Option<int?> watch = Declare.Option(
        "--watch",
        "N",
        "every N steps, with --clip: the gradients' norm and the ratio of update to weight of the embedding, each layer and the head",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<float?> rollbackSpike = Declare.Option<float?>(
        "--rollback-spike",
        "D",
        "where a loss is more than D robust deviations above the last 50: back to the last checkpoint of --checkpoint-every, and on with "
            + $"the rows that follow the spike's; {WatchOptions.MostRollbacks} times at most",
        t => Values.Real(0, 1e6, leastAllowed: false)(t)
    );

    /// <summary>All of them, in the order in which people should read them.</summary>
    public IEnumerable<Option> All => [onNonFinite, watch, rollbackSpike];

    /// <summary>What was given.</summary>
    public WatchOptions Bind(ParseResult parsed) =>
        new()
        {
            OnNonFinite = parsed.GetValue(onNonFinite) ?? NonFiniteSteps.Stop,
            Every = parsed.GetValue(watch) ?? 0,
            RollbackSpike = parsed.GetValue(rollbackSpike),
        };
}
