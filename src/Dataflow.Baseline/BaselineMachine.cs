using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// What the published system believes of a machine. These are its own constants and part of its decisions: they stay as they are where
/// a <see cref="HardwareProfile"/> learns better ones. Other machines it does not know.
/// </summary>
/// <param name="Name">As in the published sweeps; a profile of that name or alias is this machine.</param>
/// <param name="PeakFlopsPerSecond">Dense bf16 peak.</param>
/// <param name="MinChunkTokens">Minimum chunk of the recorded sweeps.</param>
/// <param name="NominalLink">Bytes a second by lanes and generation of PCI Express: 0.25 GiB * 2^(generation - 1) * 16 lanes.</param>
/// <param name="Capability">Decides the attention kernels, and with them the workspace.</param>
/// <param name="SmCount">Multiprocessors.</param>
/// <param name="FixedStepModels">Models whose sweeps were recorded with steps of a fixed length, by
/// <see cref="StepLength.SizeClass"/>.</param>
public sealed record BaselineMachine(
    string Name,
    double PeakFlopsPerSecond,
    int MinChunkTokens,
    Bytes NominalLink,
    ComputeCapability Capability,
    int SmCount,
    ImmutableArray<int> FixedStepModels
)
{
    private static readonly Bytes Gen5 = Bytes.FromGiB(64);
    private static readonly Bytes Gen4 = Bytes.FromGiB(32);

    private static readonly BaselineMachine H100 = new("H100", 989e12, 16384, Gen5, new ComputeCapability(9, 0), 132, [1, 8]);

    /// <summary>
    /// The machines of the published sweeps, one more that the system knows (RTX 4090), and one that stands for its H100 (H200).
    /// </summary>
    public static IReadOnlyList<BaselineMachine> All { get; } =
    [
        H100,
        H100 with { Name = "H200" },
        new("A100", 312e12, 16384, Gen4, new ComputeCapability(8, 0), 108, [8]),
        new("RTX5090", 209.5e12, 8192, Gen5, new ComputeCapability(12, 0), 170, [8]),
        new("RTX4090", 165e12, 8192, Gen4, new ComputeCapability(8, 9), 128, []),
        new("RTX3090", 71e12, 8192, Gen4, new ComputeCapability(8, 6), 82, [8]),
    ];

    /// <summary>The settings of that machine.</summary>
    /// <exception cref="UserErrorException">The published system knows no such machine.</exception>
    public static BaselineMachine Of(HardwareProfile profile) =>
        All.FirstOrDefault(m => profile.IsCalled(m.Name))
        ?? throw new UserErrorException(
            $"policy reference knows the machines of the published system, {string.Join(", ", All.Select(m => m.Name))}, and "
                + $"{profile.Name} is none of them: choose one of these or another policy"
        );

    /// <summary>FLOPs a second that it plans with: 60% of the peak.</summary>
    public double PlannedFlopsPerSecond => 0.6 * PeakFlopsPerSecond;

    /// <summary>Bytes a second that it plans with: 75% of the nominal link.</summary>
    public double PlannedLink => 0.75 * NominalLink.Value;
}
