using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// How heads are turned and queries scaled, as kernels take it by value: struct Rotary of kernels/qk_norm_rope_turns.cuh, 2,080 bytes.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct RotaryParameter
{
    private const int MostFrequencies = 256;

    private fixed double frequencies[MostFrequencies];
    private readonly double queryBeta;
    private readonly float factor;
    private readonly int originalLength;
    private readonly nuint set;
    private readonly nuint sets;

    public RotaryParameter(RotaryTable table, QueryScale? scale, RotaryLengths? lengths, int headDim)
    {
        var given = table.InverseFrequencies;
        if (given.Length != headDim / 2 || given.Length > MostFrequencies)
        {
            throw new ArgumentException(
                $"the rotary table has {given.Length} frequencies, expected {headDim / 2} and at most {MostFrequencies}",
                nameof(table)
            );
        }

        for (int i = 0; i < given.Length; i++)
        {
            frequencies[i] = given[i];
        }

        factor = (float)table.Factor;
        (set, sets) = lengths is { } own ? (own.Set, own.Sets) : (0, 0);
        (queryBeta, originalLength) = scale is { } s ? (s.Beta, s.OriginalLength) : (0, 0);
    }
}
