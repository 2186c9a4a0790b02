namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>What every way to a product must share, or its bits would differ: see <see cref="Gemm"/>.</summary>
internal static class GemmChains
{
    /// <summary>Products in a chain; the last chain of a sum may be shorter.</summary>
    public const int Length = 32;
}
