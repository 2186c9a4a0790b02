namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>What the accumulators of a micro-kernel start from.</summary>
internal enum Start
{
    /// <summary>Zero.</summary>
    Zero,

    /// <summary>The tile's contents.</summary>
    Tile,
}

/// <summary>
/// The innermost product: tile (Rows x Columns, dense fp32) = start + sum over k of a[k][i] * b[k][j], for panels stored k-major
/// (a: depth x Rows, b: depth x Columns). Every element is one chain of fused multiply-adds in ascending k, so all
/// implementations give the same bits, and a product split in k gives the bits of the whole.
/// </summary>
internal unsafe interface IMicroKernel
{
    /// <summary>Rows of a tile; divides 96.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of a tile: 16 or 32.</summary>
    static abstract int Columns { get; }

    /// <summary>Adds <paramref name="depth"/> outer products.</summary>
    static abstract void Run(int depth, float* a, float* b, float* tile, Start start);
}
