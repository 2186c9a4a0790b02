namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>What a forward leaves: output and logsumexp, or, of a segment, the sums from which they follow after the last one.</summary>
/// <param name="o">T x H hd: the output, or the sums.</param>
internal readonly unsafe struct AttentionResult(Matrix o)
{
    public AttentionResult(Matrix o, float* lse)
        : this(o) => Lse = lse;

    public AttentionResult(Matrix sums, float* maxima, float* totals, bool continues)
        : this(sums)
    {
        Maxima = maxima;
        Totals = totals;
        IsCarried = true;
        Continues = continues;
    }

    public Matrix O { get; } = o;

    public float* Lse { get; }

    public float* Maxima { get; }

    public float* Totals { get; }

    /// <summary>Sums, maxima and totals are left, not the output.</summary>
    public bool IsCarried { get; }

    /// <summary>They are also where it begins.</summary>
    public bool Continues { get; }
}
