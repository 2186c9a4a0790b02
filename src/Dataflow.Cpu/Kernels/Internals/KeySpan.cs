namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>The keys of a block that some query of a panel may see.</summary>
/// <param name="Block">Window row of the block's first key.</param>
/// <param name="From">The first of them, in the block.</param>
/// <param name="To">One past the last.</param>
internal readonly record struct KeySpan(int Block, int From, int To);
