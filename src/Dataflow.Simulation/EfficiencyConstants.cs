using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Simulation;

/// <summary>
/// What kernels and copies reach of a machine's ceilings: the constants of <see cref="HardwareProfile.Efficiency"/>, at most six a machine,
/// each with a default for machines of which nothing is known. What all machines have in common is in <see cref="CostModel"/>.
/// </summary>
/// <param name="Gemm">Of the peak: large products, at the clocks that the power limit leaves them.</param>
/// <param name="AttentionForward">Of the peak: long attention with heads of 128.</param>
/// <param name="AttentionBackward">The same, backward; its FLOPs count the scores that it computes again.</param>
/// <param name="AttentionHeadDim">Factor of both together at heads of 64, which they share as <see cref="AttentionRoofline"/> says; of
/// other widths its power, log2(128 / head_dim).</param>
/// <param name="HostToDevice">Of the link's rates, alone and with both directions busy.</param>
/// <param name="DeviceToHost">The same in the other direction.</param>
public sealed record EfficiencyConstants(
    double Gemm, double AttentionForward, double AttentionBackward, double AttentionHeadDim, double HostToDevice, double DeviceToHost)
{
    /// <summary>The most that a profile may have.</summary>
    public const int Most = 6;

    private const double DeterministicBackward = 0.86;

    /// <summary>
    /// Of the peak, attention by cuDNN where a profile does not say: NVIDIA's own of an H200 with 9.19.1, causal, 8k to 32k tokens, heads
    /// of 128, are 644 to 688 TFLOP/s of 989.
    /// </summary>
    public const double CudnnForward = 0.66;

    /// <summary>
    /// The same backward: 541 to 581 TFLOP/s, of a kernel that is not repeatable, less what a repeatable one is taken to lose.
    /// </summary>
    public const double CudnnBackward = 0.56 * DeterministicBackward;

    /// <summary>
    /// Middle values of the machines that were fitted; heads of 64 between the H100's 0.7 and what FlashAttention-2 publishes of an A100.
    /// </summary>
    public static EfficiencyConstants Default { get; } = new(0.7, 0.5, 0.5, 0.85, 0.95, 0.95);

    /// <summary>The names that profiles give them, in the order of the parameters.</summary>
    public static ImmutableArray<string> Names { get; } =
        ["gemm", "attention_forward", "attention_backward", "attention_head_dim", "host_to_device", "device_to_host"];

    /// <summary>The values in the order of the names.</summary>
    public ImmutableArray<double> Values => [Gemm, AttentionForward, AttentionBackward, AttentionHeadDim, HostToDevice, DeviceToHost];

    /// <summary>Of the rates of a link; one that no constant is fitted for reaches what the nearest one does by default.</summary>
    public double ShareOf(LinkDirection direction) =>
        direction == LinkDirection.HostToDevice ? HostToDevice
        : direction == LinkDirection.DeviceToHost ? DeviceToHost
        : Default.HostToDevice;

    /// <summary>From values in the order of the names.</summary>
    public static EfficiencyConstants Of(ReadOnlySpan<double> values) =>
        new(values[0], values[1], values[2], values[3], values[4], values[5]);

    /// <summary>
    /// The machine as a reproducible attention finds it, if its constants were fitted to runs with a faster one: published measurements of
    /// FlashAttention-3's backward on an H100 have 13 to 21% less for its deterministic variants; this takes 14%. A measured backward stays
    /// as it is: it is this project's own, which is reproducible.
    /// </summary>
    public static HardwareProfile Deterministic(HardwareProfile profile)
    {
        const string name = "attention_backward";
        var known = profile.Efficiency.TryGetValue(name, out var figure)
            ? figure
            : new Figure(Default.AttentionBackward, FigureKind.Estimate, "default of the cost model");
        return profile with
        {
            Efficiency = profile.Efficiency.SetItem(
                name,
                new Figure(
                    known.Value * DeterministicBackward,
                    FigureKind.Estimate,
                    $"{known.Source}; times {DeterministicBackward} for a deterministic kernel"
                )
            ),
        };
    }

    /// <summary>Those of a profile; defaults for what it does not have.</summary>
    /// <exception cref="UserErrorException">The profile has one that does not exist.</exception>
    public static EfficiencyConstants Of(HardwareProfile profile)
    {
        var strange = profile.Efficiency.Keys.Where(name => !Names.Contains(name)).ToList();
        if (strange.Count > 0)
        {
            throw new UserErrorException(
                $"hardware profile {profile.Name} has efficiency.{strange[0]}, which the cost model does not have (here: "
                    + $"{string.Join(", ", Names)})"
            );
        }

        var defaults = Default.Values;
        return Of([.. Names.Select((name, i) => profile.Efficiency.TryGetValue(name, out var figure) ? figure.Value : defaults[i])]);
    }
}
