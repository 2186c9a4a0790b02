using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

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
        var (parameters, gradients) = (call.Recipe.Parameters, call.Recipe.Gradients);
        (byte[] Bytes, AccessMode Mode)[] operands =
        [
            (Stored(Weights, parameters), AccessMode.ReadWrite),
            (Stored(gradient, gradients), AccessMode.Read),
            (FirstCodes, AccessMode.ReadWrite),
            (Stored(FirstScales, DType.Float32), AccessMode.ReadWrite),
            (SecondCodes, AccessMode.ReadWrite),
            (Stored(SecondScales, DType.Float32), AccessMode.ReadWrite),
            (Stored(Master ?? [0], DType.Float32), AccessMode.ReadWrite),
            (MemoryMarshal.AsBytes<double>(norms.Length == 0 ? [0] : norms).ToArray(), AccessMode.Read),
        ];
        using var memory = kernels.Open([.. operands.Select(o => new KernelOperand(new Bytes(o.Bytes.Length), o.Mode))], order: 0);
        for (int i = 0; i < operands.Length; i++)
        {
            memory.Write(i, operands[i].Bytes);
        }

        var placed = call with
        {
            Weights = memory.Address(0),
            Gradient = memory.Address(1),
            FirstCodes = memory.Address(2),
            FirstScales = memory.Address(3),
            SecondCodes = memory.Address(4),
            SecondScales = memory.Address(5),
            Master = Master is null ? 0 : memory.Address(6),
            Count = Weights.Length,
            Norms = norms.Length == 0 ? 0 : memory.Address(7),
            NormCount = norms.Length,
        };
        memory.Run(step, s => s.Launch(placed));
        return new(
            Floats(0, parameters),
            Master is null ? null : Floats(6, DType.Float32),
            Read(2),
            Floats(3, DType.Float32),
            Read(4),
            Floats(5, DType.Float32)
        );

        byte[] Read(int operand)
        {
            byte[] bytes = new byte[operands[operand].Bytes.Length];
            memory.Read(operand, bytes);
            return bytes;
        }

        float[] Floats(int operand, DType type)
        {
            byte[] bytes = Read(operand);
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
