namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>What the sums of a micro-kernel are added to.</summary>
internal enum Start
{
    /// <summary>Zero.</summary>
    Zero,

    /// <summary>The tile's contents.</summary>
    Tile,
}

/// <summary>
/// The innermost product: tile (Rows x Columns, dense fp32) = start + sum over k of a[k][i] * b[k][j], for panels stored k-major
/// (a: depth x Rows, b: depth x Columns). Every element is one chain of fused multiply-adds from 0 in ascending k, added to the start
/// at the end, so all implementations give the same bits. A long sum is made of short chains: its rounding error grows with the root
/// of the chain's length plus that of their number, not of all terms.
/// </summary>
internal unsafe interface IMicroKernel
{
    /// <summary>Rows of a tile; divides 96.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of a tile: 16 or 32.</summary>
    static abstract int Columns { get; }

    /// <summary>Terms of the sum in a word of a panel: 1, or 2 where words are pairs of bf16 (<see cref="PairPanels"/>).</summary>
    static abstract int Terms { get; }

    /// <summary>Adds one chain of <paramref name="words"/> outer products.</summary>
    static abstract void Run(int words, float* a, float* b, float* tile, Start start);

    /// <summary>The same in chains of <see cref="GemmChains.Length"/> terms.</summary>
    static abstract void RunChains(int words, float* a, float* b, float* tile, Start start);
}
