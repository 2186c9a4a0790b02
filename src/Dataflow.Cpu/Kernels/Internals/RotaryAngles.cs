using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// Sines and cosines of rotary positions. The frequencies, in double, lie at the start of the shared scratch, or, where they depend on the
/// length of documents, in the chunk's table.
/// </summary>
internal readonly unsafe struct RotaryAngles
{
    /// <summary>Bytes of the shared scratch the frequencies take, rounded up.</summary>
    public const int SharedBytes = 4096;

    private readonly double* frequencies;
    private readonly double factor;
    private readonly int half;
    private readonly int* firstKey;
    private readonly int rowOffset;
    private readonly int* set;

    /// <summary>Fills the frequencies; done before the loop that reads them.</summary>
    public RotaryAngles(ThreadTeam team, RotaryTable table, int headDim, ChunkContext at, RotaryLengths? lengths)
    {
        if (headDim % 2 != 0 || headDim / 2 * sizeof(double) > SharedBytes)
        {
            throw new ArgumentException(
                $"head_dim is {headDim}, expected an even number up to {SharedBytes / sizeof(double) * 2}",
                nameof(headDim)
            );
        }

        if (table.InverseFrequencies.Length != headDim / 2)
        {
            throw new ArgumentException(
                $"the rotary table has {table.InverseFrequencies.Length} frequencies, expected {headDim / 2}",
                nameof(table)
            );
        }

        frequencies = (double*)team.SharedScratch;
        half = headDim / 2;
        firstKey = (int*)at.FirstKey;
        rowOffset = at.Row;
        factor = table.Factor;
        table.InverseFrequencies.CopyTo(new Span<double>(frequencies, half));
        if (lengths is { } own)
        {
            set = (int*)own.Set;
            frequencies = (double*)own.Sets;
        }
    }

    /// <summary>Of queries, where they have one.</summary>
    public QueryScale? QueryScale { get; init; } = null;

    /// <summary>By what a token's queries are multiplied.</summary>
    public float QueryScaleOf(int t) => QueryScale is { } scale ? (float)scale.At(PositionOf(t)) : 1;

    /// <summary>The hd/2 cosines and sines of token <paramref name="t"/>.</summary>
    public void Fill(int t, float* cos, float* sin)
    {
        int position = PositionOf(t);
        double* turns = frequencies + (set == null ? 0 : (long)set[t] * half);
        for (int i = 0; i < half; i++)
        {
            (double s, double c) = Math.SinCos(position * turns[i]);
            double size = turns[i] == 0 ? 1 : factor;
            cos[i] = (float)(c * size);
            sin[i] = (float)(s * size);
        }
    }

    private int PositionOf(int t) => rowOffset + t - firstKey[t];
}
