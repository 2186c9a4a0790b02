using Dataflow.Model;

namespace Dataflow.Simulation;

/// <summary>
/// How long kernels and copies take on a machine. A kernel that was measured runs at its measured rate; every other at the ceiling of its
/// class (peak FLOPs or memory bandwidth, whichever takes longer) times an efficiency, which is a constant of the machine times a
/// curve over shape that all machines share. To both comes the launch.
/// </summary>
public sealed class CostModel
{
    // A product's pipeline has to fill: as much of K is lost.
    private const double GemmFillDepth = 64;

    // Products are cut into tiles of that many elements, one a multiprocessor at a time; the last wave of tiles is partly empty: a
    // quarter of a wave on average, since narrower tiles are taken where it would be more.
    private const double GemmTile = 128 * 128;
    private const double GemmLostWaves = 0.25;

    // Keys at which attention reaches half of its rate: from the tables of FlashAttention-3 and cuDNN on an H100, 512 to 16k tokens.
    private const double AttentionHalfKeys = 400;

    /// <summary>What attention loses to short rows: its rate is that of long ones divided by this.</summary>
    public static double ShortRows(double keys) => 1 + (AttentionHalfKeys / keys);

    /// <summary>Of the memory bandwidth: kernels that read and write long rows once.</summary>
    public const double MemoryShare = 0.85;

    private const double WideHead = 128;

    // Our own attention of wider heads on a GPU does without tensor cores: it comes as near to the peak of fp32 as others to theirs, which
    // is assumed until a GPU has said.
    private const double WidestOfTensorCores = 256;

    // Recurrences multiply small tiles, one after the other for each head and 64 columns of its values. Bringing a tile to the tensor cores
    // takes longer than they take for it, so that the rate goes with fp32's: 64 tokens of keys and values of 128 are counted as 38,000
    // cycles of a multiprocessor forward, 110 FLOPs a cycle of the 256 of its peak, and on fused multiply-adds as four times that. No GPU
    // has said.
    private const double Recurrence = 0.4;
    private const double PlainRecurrence = 0.1;

    // Of the time in which a CPU's other updates move the same bytes: codes of moments are looked up and searched for. From the shortest
    // times of bench/results/prediction.md; a profile that lacks the kernel was measured before calibration had it.
    private const double EightBitOnCpu = 2.5;

    // No op of any model takes longer; a step of them stays far inside 64 bits of nanoseconds.
    private const double LongestSeconds = 1e5;
    private const double SlowestLink = 1e5;

    private readonly HardwareProfile profile;
    private readonly EfficiencyConstants constants;
    private readonly (double Forward, double Backward) headDim;
    private readonly KernelRates? measured;
    private readonly double peak;
    private readonly double recurrencePeak;
    private readonly double bandwidth;
    private readonly double launch;
    private readonly double sms;

    /// <summary>Of the machine's own constants.</summary>
    /// <param name="profile">The machine.</param>
    /// <param name="operands">The type of matrices, which decides the peak.</param>
    public CostModel(HardwareProfile profile, DType operands)
        : this(profile, operands, EfficiencyConstants.Of(profile))
    {
    }

    /// <summary>Of other constants than the profile's: for fitting.</summary>
    public CostModel(HardwareProfile profile, DType operands, EfficiencyConstants constants)
    {
        (this.profile, this.constants, headDim) = (profile, constants, AttentionRoofline.HeadDimFactors(constants));
        measured = profile.Kernels is { } kernels && kernels.Operands == operands ? kernels : null;
        peak = profile.PeakFlopsPerSecond(operands);
        recurrencePeak = profile.PeakFlopsPerSecond(DType.Float32) * (operands == DType.Float32 ? PlainRecurrence : Recurrence);
        bandwidth = profile.MemoryBandwidthBytesPerSecond.Value;
        launch = profile.KernelLaunchSeconds.Value;
        sms = profile.SmCount?.Value ?? 1;
        Links = new LinkRates(
            [.. LinkDirection.Among(profile.TierCount).Select(d => Rate(profile.Link(d), constants.ShareOf(d)))],
            Sound(profile.HostMemoryBandwidthBytesPerSecond?.Value ?? double.PositiveInfinity));
    }

    /// <summary>All directions of the machine's links, in their order, and the host memory behind them.</summary>
    public LinkRates Links { get; }

    /// <summary>A kernel call.</summary>
    public double Seconds(Kernel kernel, in KernelWork work) =>
        work.ByCudnn ? ByCudnn(work)
        : measured?.PerSecond(kernel, work) is { } rate
        ? launch + ((work.Class == KernelClass.Memory ? work.Bytes : work.Flops) / rate)
        : kernel == Kernel.AdamW8Bit && profile.Kind == HardwareKind.Cpu
            ? Seconds(Kernel.Update, KernelWork.Memory(work.Bytes * EightBitOnCpu))
            : Seconds(work);

    /// <summary>
    /// Whether attention by cuDNN is measured faster, forward and backward of a sequence together, than our own: where it was not
    /// measured, it is not.
    /// </summary>
    /// <param name="queries">Tokens of a chunk.</param>
    /// <param name="keys">That a query sees, on average.</param>
    /// <param name="headDim">Of the model.</param>
    public bool PrefersCudnn(double queries, double keys, double headDim)
    {
        double Both(bool byCudnn) =>
            Seconds(Kernel.AttentionForward, Work(forward: true, byCudnn))
            + Seconds(Kernel.AttentionBackward, Work(forward: false, byCudnn));
        KernelWork Work(bool forward, bool byCudnn) =>
            KernelWork.Attention(forward, queries * keys, queries, headDim, headDim) with { ByCudnn = byCudnn };
        return profile.Cudnn is not null && Both(byCudnn: true) < Both(byCudnn: false);
    }

    /// <summary>A kernel of which only the class is known.</summary>
    public double Seconds(in KernelWork work) =>
        launch + Math.Max(work.Flops / (peak * Efficiency(work)), work.Bytes / (bandwidth * MemoryShare));

    /// <summary>
    /// The same at the ceilings: no curve, no launch, and the peak, or what was reached where a chip clocks above the clock of its peak.
    /// </summary>
    public double CeilingSeconds(in KernelWork work) => Math.Max(work.Flops / (peak * Math.Max(1, constants.Gemm)), work.Bytes / bandwidth);

    /// <summary>A copy.</summary>
    public OpCost Copy(LinkDirection direction, long bytes)
    {
        return new OpCost(Nanoseconds(profile.Link(direction).LatencySeconds.Value), direction.Index, bytes);
    }

    /// <summary>Whole nanoseconds, at least 0.</summary>
    /// <exception cref="UserErrorException">It is longer than an op takes on any machine: clocks would run over.</exception>
    public static long Nanoseconds(double seconds) =>
        seconds <= LongestSeconds
            ? (long)Math.Round(seconds * 1e9)
            : throw new UserErrorException(
                $"an op would take more than {LongestSeconds / 3600:0} hours; the hardware profile's figures are not of this model's "
                    + $"machine"
            );

    private static LinkRate Rate(LinkProfile link, double share) =>
        new(
            Sound(link.BytesPerSecond.Value * share),
            Sound(Math.Min(link.BytesPerSecond.Value, link.BytesPerSecondBothBusy.Value) * share)
        );

    /// <summary>Bytes a nanosecond, of bytes a second.</summary>
    private static double Sound(double rate) =>
        rate >= SlowestLink
            ? rate / 1e9
            : throw new UserErrorException(
                $"a link of {rate:0.###} bytes per second is slower than any; the hardware profile's figures are not of a machine"
            );

    private double Efficiency(in KernelWork work) =>
        work.Class switch
        {
            KernelClass.Gemm => constants.Gemm
                / (1 + (GemmFillDepth / work.Depth))
                / (1 + (GemmLostWaves * sms * GemmTile / (work.Rows * work.Columns))),
            _ when work.SideBySide > 0 && profile.Kind == HardwareKind.Gpu => recurrencePeak / peak * Math.Min(1, work.SideBySide / sms),
            KernelClass.AttentionForward => Attention(work, constants.AttentionForward, headDim.Forward),
            KernelClass.AttentionBackward => Attention(work, constants.AttentionBackward, headDim.Backward),
            _ => 1,
        };

    // What our kernels do between its calls is no part of its rate.
    private double ByCudnn(in KernelWork work)
    {
        bool forward = work.Class == KernelClass.AttentionForward;
        double share = forward
            ? (profile.Cudnn?.ForwardFlopsPerSecond.Value / peak) ?? EfficiencyConstants.CudnnForward
            : (profile.Cudnn?.BackwardFlopsPerSecond.Value / peak) ?? EfficiencyConstants.CudnnBackward;
        return launch
            + (work.Flops / (peak * Attention(work, share, forward ? headDim.Forward : headDim.Backward)))
            + (work.Bytes / (bandwidth * MemoryShare));
    }

    // Wide heads come as near to the tensor cores' rate as products do, and no nearer.
    private double Attention(in KernelWork work, double share, double narrow) =>
        Math.Min(share * Math.Pow(narrow, Math.Log2(WideHead / work.Depth)), Math.Max(share, constants.Gemm))
        * (profile.Kind == HardwareKind.Gpu && work.Depth > WidestOfTensorCores ? profile.PeakFlopsPerSecond(DType.Float32) / peak : 1)
        / ShortRows(work.Columns);
}
