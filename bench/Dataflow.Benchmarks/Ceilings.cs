using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Benchmarks;

/// <summary>
/// What one thread of this processor can do at most, as it was at this moment: measured in turns with kernels, since neighbours on a shared
/// machine slow both alike.
/// </summary>
internal sealed unsafe class Ceilings(Operands operands)
{
    private const int Bytes = 64 << 20;
    private const int Products = 1 << 15;
    private const int Accumulators = 24;
    private readonly Matrix from = operands.Matrix(DType.Float32, 1, Bytes / sizeof(float));
    private readonly Matrix to = operands.Matrix(DType.Float32, 1, Bytes / sizeof(float));

    /// <summary>fp32 FLOPs a nanosecond by fused multiply-adds that only wait for each other's registers.</summary>
    public double Flops { get; private set; }

    /// <summary>Bytes a nanosecond that a copy of 64 MiB reads and writes together.</summary>
    public double Copied { get; private set; }

    /// <summary>Measures both; the best that was seen stays.</summary>
    public void Measure()
    {
        long flops = (long)Products * Accumulators * 2 * Vector512<float>.Count;
        Flops = Math.Max(Flops, (double)flops / ThreadClock.Of(() => Multiply((float*)to.Data)));
        Copied = Math.Max(Copied, 2.0 * Bytes / ThreadClock.Of(() => Fill.Copy(operands.Team, from.Data, to.Data, Bytes)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply(float* result)
    {
        Vector512<float> s = Vector512.Create(0.999f), t = Vector512.Create(0.001f);
        Vector512<float> a0 = s, a1 = s, a2 = s, a3 = s, a4 = s, a5 = s, a6 = s, a7 = s, a8 = s, a9 = s, a10 = s, a11 = s;
        Vector512<float> b0 = t, b1 = t, b2 = t, b3 = t, b4 = t, b5 = t, b6 = t, b7 = t, b8 = t, b9 = t, b10 = t, b11 = t;
        for (int i = 0; i < Products; i++)
        {
            a0 = Vector512.FusedMultiplyAdd(a0, s, t);
            a1 = Vector512.FusedMultiplyAdd(a1, s, t);
            a2 = Vector512.FusedMultiplyAdd(a2, s, t);
            a3 = Vector512.FusedMultiplyAdd(a3, s, t);
            a4 = Vector512.FusedMultiplyAdd(a4, s, t);
            a5 = Vector512.FusedMultiplyAdd(a5, s, t);
            a6 = Vector512.FusedMultiplyAdd(a6, s, t);
            a7 = Vector512.FusedMultiplyAdd(a7, s, t);
            a8 = Vector512.FusedMultiplyAdd(a8, s, t);
            a9 = Vector512.FusedMultiplyAdd(a9, s, t);
            a10 = Vector512.FusedMultiplyAdd(a10, s, t);
            a11 = Vector512.FusedMultiplyAdd(a11, s, t);
            b0 = Vector512.FusedMultiplyAdd(b0, s, t);
            b1 = Vector512.FusedMultiplyAdd(b1, s, t);
            b2 = Vector512.FusedMultiplyAdd(b2, s, t);
            b3 = Vector512.FusedMultiplyAdd(b3, s, t);
            b4 = Vector512.FusedMultiplyAdd(b4, s, t);
            b5 = Vector512.FusedMultiplyAdd(b5, s, t);
            b6 = Vector512.FusedMultiplyAdd(b6, s, t);
            b7 = Vector512.FusedMultiplyAdd(b7, s, t);
            b8 = Vector512.FusedMultiplyAdd(b8, s, t);
            b9 = Vector512.FusedMultiplyAdd(b9, s, t);
            b10 = Vector512.FusedMultiplyAdd(b10, s, t);
            b11 = Vector512.FusedMultiplyAdd(b11, s, t);
        }

        ((a0 + a1 + a2 + a3) + (a4 + a5 + a6 + a7) + (a8 + a9 + a10 + a11)).Store(result);
        ((b0 + b1 + b2 + b3) + (b4 + b5 + b6 + b7) + (b8 + b9 + b10 + b11)).Store(result + Vector512<float>.Count);
    }
}
