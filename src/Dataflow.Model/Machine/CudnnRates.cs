namespace Dataflow.Model;

/// <summary>What a release of cuDNN was measured at on a machine: attention of long sequences with heads of 128, kernels between its
/// calls among it.</summary>
/// <param name="Release">Such as 9.28.1.</param>
/// <param name="ForwardFlopsPerSecond">Forward.</param>
/// <param name="BackwardFlopsPerSecond">The backward that is repeatable; scores that are computed again are counted.</param>
public sealed record CudnnRates(Version Release, Figure ForwardFlopsPerSecond, Figure BackwardFlopsPerSecond);
