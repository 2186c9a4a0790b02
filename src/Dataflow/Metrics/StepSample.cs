using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What part of a step a stream worked.</summary>
/// <param name="Stream">Its name: "compute", "h2d", "d2h".</param>
/// <param name="Busy">0 to 1.</param>
public readonly record struct StreamShare(string Stream, double Busy);

/// <summary>How a layer's experts were loaded over a step.</summary>
/// <param name="Layer">From 0.</param>
/// <param name="Most">The tokens of the expert with the most, over the mean of all: 1 where all have the same.</param>
/// <param name="Least">Likewise of the one with the fewest.</param>
/// <param name="Unused">Experts that no token chose.</param>
public readonly record struct ExpertSpread(int Layer, double Most, double Least, int Unused);

/// <summary>A step that was looked at more closely than others: the second of a run, one every ten
/// seconds, and those whose values are asked for.</summary>
/// <param name="Streams">How busy each was; none where the device does not measure its steps.</param>
/// <param name="Experts">Of each layer with experts.</param>
/// <param name="Process">What this process has in memory, arenas among it.</param>
/// <param name="Device">What it takes of the GPU, as the driver counts; null where there is none.</param>
public sealed record StepSample(
    IReadOnlyList<StreamShare> Streams,
    IReadOnlyList<ExpertSpread> Experts,
    Bytes Process,
    Bytes? Device
)
{
    /// <summary>How weights and gradients are spread, by group; null where that was not asked for.</summary>
    public IReadOnlyList<GroupValues>? Values { get; init; }
}
