using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Conformance;

/// <summary>
/// One matrix in a device's memory, with all that Muon has of it. It may begin at any element of an object; a margin around it must stay as
/// it is.
/// </summary>
internal sealed class MuonMemory : IDisposable
{
    private const int Weights = 0, Gradient = 1, Momentum = 2, Master = 3, Norms = 4, Scratch = 5;
    private const int Margin = 9; // elements behind the matrix
    private const float MarginValue = 0.625f; // exact in bf16

    private readonly KernelMemory memory;
    private readonly MuonMatrix matrix;
    private readonly Recipe recipe;
    private readonly int before;

    /// <param name="kernels">Of the device.</param>
    /// <param name="matrix">Its shape.</param>
    /// <param name="recipe">How it is stored.</param>
    /// <param name="before">Elements of the object before it.</param>
    /// <param name="order">One of the device's.</param>
    public MuonMemory(KernelsUnderTest kernels, MuonMatrix matrix, Recipe recipe, int before = 0, int order = 0)
    {
        (this.matrix, this.recipe, this.before) = (matrix, recipe, before);
        long count = before + matrix.Count + Margin;
        ImmutableArray<KernelOperand> operands =
        [
            new(recipe.Parameters.SizeOf(count), AccessMode.ReadWrite),
            new(recipe.Gradients.SizeOf(count), AccessMode.Read),
            new(2 * recipe.Moments.SizeOf(count).Aligned, AccessMode.ReadWrite), // AdamW has two
            new(DType.Float32.SizeOf(count), AccessMode.ReadWrite),
            new(new Bytes(2 * sizeof(double)), AccessMode.Read),
            new(new MuonScratch(matrix, recipe.Activations).Length, AccessMode.Write),
        ];
        memory = kernels.Open(operands, order);
        memory.Write(Momentum, new byte[operands[Momentum].Length.Value]);
        Write(Momentum, new float[matrix.Count]);
    }

    /// <summary>Number of the object.</summary>
    public int Object { get; init; } = 3;

    /// <summary>Coefficients and steps.</summary>
    public NewtonSchulz Iteration { get; init; } = NewtonSchulz.Muon;

    /// <summary>Of the rate.</summary>
    public MuonAdjustment Adjustment { get; init; }

    /// <summary>Factor of the rate, factor of the decay, own decay.</summary>
    public UpdateScale Group { get; init; } = UpdateScale.One;

    /// <summary>The weights as kernels read them.</summary>
    public float[] Parameters => Read(Weights);

    /// <summary>What updates add to: the parameters, or master weights.</summary>
    public float[] Stored => Read(recipe.Master is null ? Weights : Master);

    /// <summary>The momentum.</summary>
    public float[] Moments => Read(Momentum);

    /// <summary>The gradient, rounded to its type.</summary>
    public float[] Gradients
    {
        get => Read(Gradient);
        set => Write(Gradient, value);
    }

    /// <summary>Writes the weights, and the master weights.</summary>
    public void Set(float[] weights)
    {
        Write(Weights, weights);
        Write(Master, weights);
    }

    /// <summary>A step of Muon.</summary>
    /// <param name="step">Its number, settings and clipping.</param>
    /// <param name="norm">Of all gradients; null: they are not clipped.</param>
    public void Step(in StepArguments step, double? norm = null)
    {
        double half = norm is { } all ? all * all / 2 : 0;
        memory.Write(Norms, MemoryMarshal.AsBytes<double>([half, half]));
        var update = Update(norm is not null);
        memory.Run(step, update.Run);
    }

    /// <summary>A step of elementwise AdamW over what lies before the matrix too.</summary>
    public void StepOfAdamW(in StepArguments step)
    {
        var range = Range(0) with { Count = before + matrix.Count };
        var call = new UpdateArguments
        {
            Range = range,
            Optimizer = Optimizer.AdamW,
            Recipe = recipe,
            Scale = UpdateScale.One,
            Norms = 0,
            NormCount = 0,
        };
        memory.Run(step, s => s.Launch(call));
    }

    /// <summary>The call of a step.</summary>
    public MuonUpdate Update(bool clips) =>
        new()
        {
            Range = Range(before),
            Matrix = matrix,
            Recipe = recipe,
            Scratch = memory.Address(Scratch),
            Norms = clips ? memory.Address(Norms) : 0,
            NormCount = clips ? 2 : 0,
            Iteration = Iteration,
            Adjustment = Adjustment,
            Scale = Group,
        };

    /// <summary>Every bit of weights and momentum.</summary>
    public byte[] Bits() => [.. Parameters.Concat(Stored).Concat(Moments).SelectMany(BitConverter.GetBytes)];

    public void Dispose() => memory.Dispose();

    private UpdateRange Range(int first)
    {
        nuint At(int operand, DType type) => memory.Address(operand) + (nuint)(first * type.Size());
        return new(
            At(Weights, recipe.Parameters),
            At(Gradient, recipe.Gradients),
            At(Momentum, recipe.Moments),
            recipe.Moments.SizeOf(before + matrix.Count + Margin).Aligned.Value,
            recipe.Master is { } master ? At(Master, master) : 0,
            Object,
            first,
            matrix.Count
        );
    }

    private DType TypeOf(int operand) =>
        operand switch
        {
            Weights => recipe.Parameters,
            Gradient => recipe.Gradients,
            Momentum => recipe.Moments,
            _ => DType.Float32,
        };

    private void Write(int operand, float[] values)
    {
        float[] all = [.. Enumerable.Repeat(MarginValue, before), .. values, .. Enumerable.Repeat(MarginValue, Margin)];
        byte[] bytes =
            TypeOf(operand) == DType.Float32
                ? MemoryMarshal.AsBytes(all.AsSpan()).ToArray()
                : [.. all.SelectMany(v => BitConverter.GetBytes(Rounded(v)))];
        memory.Write(operand, bytes);
    }

    private float[] Read(int operand)
    {
        var type = TypeOf(operand);
        byte[] bytes = new byte[type.SizeOf(before + matrix.Count + Margin).Value];
        memory.Read(operand, bytes);
        float[] all =
            type == DType.Float32
                ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
                : [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(Widened)];
        Assert.All(all[..before].Concat(all[^Margin..]), v => Assert.Equal(MarginValue, v));
        return all[before..^Margin];
    }

    /// <summary>To nearest even.</summary>
    public static ushort Rounded(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>Exact.</summary>
    public static float Widened(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);
}
