using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>Part of one row of a matrix, read and written as vectors of fp32 (see <see cref="Lanes"/>).</summary>
internal readonly unsafe struct Row
{
    private readonly byte* data;
    private readonly DType type;

    /// <summary>The row's elements from <paramref name="column"/> on.</summary>
    public Row(in Matrix matrix, int row, int column)
    {
        data = matrix.Row(row) + ((long)column * matrix.ElementBytes);
        type = matrix.Type;
    }

    /// <summary>The whole row.</summary>
    public Row(in Matrix matrix, int row)
        : this(matrix, row, 0)
    {
    }

    /// <summary>A run of elements that is not part of a matrix.</summary>
    public Row(byte* data, DType type)
    {
        this.data = data;
        this.type = type;
    }

    /// <summary>The elements from <paramref name="j"/> on.</summary>
    public Row From(long j) => new(At(j), type);

    /// <summary>Elements <paramref name="j"/> to <paramref name="j"/> + min(16, <paramref name="lanes"/>) - 1; other lanes are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Load(long j, int lanes) => Lanes.Load(At(j), type, lanes);

    /// <summary>
    /// Writes elements <paramref name="j"/> to <paramref name="j"/> + min(16, <paramref name="lanes"/>) - 1, rounded once.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long j, Vector512<float> value, int lanes) => Lanes.Store(At(j), type, value, lanes);

    /// <summary>As <see cref="Store"/>, of values that are bf16 already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreRounded(long j, Vector256<ushort> value, int lanes) => Lanes.Store((ushort*)At(j), value, lanes);

    /// <summary>
    /// Asks for elements that a loop will come to: a loop over several runs of memory has too few of its loads under way at once to wait
    /// for none, and processors look ahead to the end of a page at most. Beyond the last element it does nothing.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(long j)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(At(j));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* At(long j) => data + (type == DType.Float32 ? j * 4 : j * 2);
}
