namespace Dataflow.Cuda;

/// <summary>A size in up to three dimensions.</summary>
public readonly record struct Extent(int X, int Y = 1, int Z = 1)
{
    /// <summary>A size in one dimension.</summary>
    public static implicit operator Extent(int x) => new(x);

    /// <summary>"8 x 4 x 1".</summary>
    public override string ToString() => $"{X} x {Y} x {Z}";
}

/// <summary>How a kernel is launched.</summary>
/// <param name="Grid">Blocks.</param>
/// <param name="Block">Threads of a block.</param>
/// <param name="SharedBytes">Dynamic shared memory of a block.</param>
public readonly record struct LaunchShape(Extent Grid, Extent Block, int SharedBytes = 0)
{
    /// <summary>"grid 8 x 1 x 1, block 256 x 1 x 1, 0 bytes shared".</summary>
    public override string ToString() => $"grid {Grid}, block {Block}, {SharedBytes} bytes shared";
}
