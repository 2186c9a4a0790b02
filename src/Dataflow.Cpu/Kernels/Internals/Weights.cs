using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>The weight of a norm, a row, with what its model adds to it.</summary>
internal readonly struct Weights(Matrix row, float offset)
{
    private readonly Row weight = new(row, 0);

    /// <summary>Throws unless there are so many.</summary>
    public void Expect(int columns) => row.Expect(1, columns, "weight");

    /// <summary>Offset + weight of the columns from <paramref name="j"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Load(int j, int lanes) => weight.Load(j, lanes) + Vector512.Create(offset);
}
