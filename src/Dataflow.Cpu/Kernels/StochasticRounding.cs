using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// fp32 to bf16, up in magnitude with the probability of the part cut off. The 16 random bits of a value are a function of seed, step,
/// object, element and which value of the element it is, so that neither cuts nor threads change a result; the bits are those of
/// kernels/element_update.cuh.
/// </summary>
/// <param name="Seed">The run's.</param>
/// <param name="Step">Optimizer step, from 1.</param>
/// <param name="Object">Number of the parameter object.</param>
/// <param name="FirstElement">Of the object, that element 0 here is.</param>
public readonly record struct StochasticRounding(ulong Seed, int Step, int Object, long FirstElement)
{
    private const int ValuesAnElement = Optimizer.MostMoments + 1; // the weight is the first
    private const int Octet = 8; // elements that share one counter

    /// <summary>
    /// Sixteen values, the first of which is element <paramref name="j"/>, a multiple of 8; infinities and NaNs as they are.
    /// </summary>
    internal Vector256<ushort> Narrow(Vector512<float> value, long j, uint which)
    {
        Vector512<uint> bits = value.AsUInt32();
        Vector256<ushort> random =
            FirstElement % Octet == 0
                ? Vector256.Create(Random(j, which), Random(j + Octet, which)).AsUInt16()
                : RandomFromWithin(j, which);
        Vector512<uint> wide = Vector512.Create(Vector256.WidenLower(random), Vector256.WidenUpper(random));
        Vector512<uint> exponent = Vector512.Create(0x7f800000u);
        Vector512<uint> isFinite = ~Vector512.Equals(bits & exponent, exponent);
        Vector512<uint> rounded = Vector512.ShiftRightLogical(bits + (wide & isFinite), 16);
        return Vector256.Narrow(rounded.GetLower(), rounded.GetUpper());
    }

    /// <summary>Where sixteen values begin within an octet, they are of three.</summary>
    private unsafe Vector256<ushort> RandomFromWithin(long j, uint which)
    {
        ushort* three = stackalloc ushort[3 * Octet];
        for (int octet = 0; octet < 3; octet++)
        {
            Random(j + (octet * Octet), which).AsUInt16().Store(three + (octet * Octet));
        }

        return Vector256.Load(three + (FirstElement % Octet));
    }

    private Vector128<uint> Random(long j, uint which)
    {
        ulong octet = (ulong)((FirstElement + j) / Octet);
        return Philox.At((uint)octet, (uint)(octet >> 32), (uint)Step, ((uint)Object * ValuesAnElement) + which, Seed);
    }
}
