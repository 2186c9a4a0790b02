namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Rows of a context window, the whole or a segment of it. Keys are taken in blocks that start anew every <see cref="PieceRows"/> rows of
/// the window, so that sums over keys have one order however the window is cut into segments of whole pieces.
/// </summary>
/// <param name="Kv">Keys, then values: row 0 is window row <paramref name="FirstRow"/>.</param>
/// <param name="FirstRow">A multiple of <paramref name="PieceRows"/>.</param>
/// <param name="PieceRows">Tokens of a chunk.</param>
public readonly record struct KeyRows(Matrix Kv, int FirstRow, int PieceRows);
