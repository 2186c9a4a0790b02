using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>A norm's weight as it is kept, and what is added to it.</summary>
internal readonly struct NormWeight(Row kept, float offset)
{
    /// <summary>That of a call; throws unless there are so many.</summary>
    public static NormWeight Of(Tensor weight, float offset, int columns)
    {
        Matrix row = new(weight);
        row.Expect(1, columns, nameof(weight));
        return new NormWeight(new Row(row, 0), offset);
    }

    /// <summary>Elements from <paramref name="j"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Load(int j, int lanes) =>
        offset == 0 ? kept.Load(j, lanes) : kept.Load(j, lanes) + Vector512.Create(offset);
}
