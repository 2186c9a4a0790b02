using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Conformance;

/// <summary>Weights under AdamW with 8-bit moments, on the host.</summary>
/// <param name="Weights">As they are stored; fp32 values.</param>
/// <param name="Master">Null where there are none.</param>
/// <param name="FirstCodes">Of the first moments.</param>
/// <param name="FirstScales">A number for each block.</param>
/// <param name="SecondCodes">Of the second moments.</param>
/// <param name="SecondScales">A number for each block.</param>
internal sealed record EightBitState(
    float[] Weights, float[]? Master, byte[] FirstCodes, float[] FirstScales, byte[] SecondCodes, float[] SecondScales)
{
    /// <summary>No moments yet, of weights that are exact in the recipe's type.</summary>
    public static EightBitState Start(float[] weights, Recipe recipe)
    {
        int blocks = weights.Length / DynamicMap.BlockElements;
        float[] stored = recipe.Parameters == DType.BFloat16 ? [.. weights.Select(RoundDown)] : weights;
        return new(
            stored,
            recipe.Master is null ? null : stored,
            new byte[weights.Length],
            new float[blocks],
            new byte[weights.Length],
            new float[blocks]
        );
    }

    /// <summary>A number that bf16 holds.</summary>
    public static float RoundDown(float value) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000);

    /// <summary>The state of some of the elements.</summary>
    public EightBitState Part(int from, int to)
    {
        int first = from / DynamicMap.BlockElements, last = to / DynamicMap.BlockElements;
        return new(
            Weights[from..to],
            Master?[from..to],
            FirstCodes[from..to],
            FirstScales[first..last],
            SecondCodes[from..to],
            SecondScales[first..last]
        );
    }

    /// <summary>After one step on a device.</summary>
    /// <param name="kernels">The device's.</param>
    /// <param name="gradient">fp32 values, exact in the recipe's type.</param>
    /// <param name="call">All but addresses and count.</param>
    /// <param name="norms">Squared sums of gradients; empty where they are not clipped.</param>
    /// <param name="step">Its number and settings.</param>
    public EightBitState After(
        KernelsUnderTest kernels, float[] gradient, in AdamW8BitArguments call, double[] norms, in StepArguments step)
    {
        var recipe = call.Recipe;
        nuint weights = kernels.Place(Stored(Weights, recipe.Parameters)),
            master = Master is null ? 0 : kernels.Place(Stored(Master, DType.Float32)),
            firstCodes = kernels.Place(FirstCodes),
            firstScales = kernels.Place(Stored(FirstScales, DType.Float32)),
            secondCodes = kernels.Place(SecondCodes),
            secondScales = kernels.Place(Stored(SecondScales, DType.Float32));
        kernels.AdamW8Bit(
            call with
            {
                Weights = weights,
                Gradient = kernels.Place(Stored(gradient, recipe.Gradients)),
                FirstCodes = firstCodes,
                FirstScales = firstScales,
                SecondCodes = secondCodes,
                SecondScales = secondScales,
                Master = master,
                Count = Weights.Length,
                Norms = norms.Length == 0 ? 0 : kernels.Place(MemoryMarshal.AsBytes<double>(norms)),
                NormCount = norms.Length,
            },
            step
        );
        return new(
            Floats(weights, Weights.Length, recipe.Parameters),
            Master is null ? null : Floats(master, Weights.Length, DType.Float32),
            Bytes(firstCodes, FirstCodes.Length),
            Floats(firstScales, FirstScales.Length, DType.Float32),
            Bytes(secondCodes, SecondCodes.Length),
            Floats(secondScales, SecondScales.Length, DType.Float32)
        );

        byte[] Bytes(nuint at, int count)
        {
            byte[] bytes = new byte[count];
            kernels.Read(at, bytes);
            return bytes;
        }

        float[] Floats(nuint at, int count, DType type)
        {
            byte[] bytes = Bytes(at, checked((int)type.SizeOf(count).Value));
            return type == DType.Float32
                ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
                : [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(b => BitConverter.UInt32BitsToSingle((uint)b << 16))];
        }
    }

    /// <summary>Every bit of it, with NaNs told apart by nothing but their place.</summary>
    public uint[] Bits() =>
        [
            .. FirstCodes.Concat(SecondCodes).Select(c => (uint)c),
            .. Weights
                .Concat(Master ?? [])
                .Concat(FirstScales)
                .Concat(SecondScales)
                .Select(v => float.IsNaN(v) ? 0x7FC00000 : BitConverter.SingleToUInt32Bits(v)),
        ];

    private static byte[] Stored(float[] values, DType type) =>
        type == DType.Float32
            ? MemoryMarshal.AsBytes<float>(values).ToArray()
            : MemoryMarshal.AsBytes<ushort>([.. values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16))]).ToArray();
}
