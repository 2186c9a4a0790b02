using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// What the codes of an fp8 tensor are multiplied by: one number for all of them (NAME_scale), or one for each block of a matrix
/// (NAME_scale_inv), whose last blocks may reach beyond it.
/// </summary>
internal sealed class TensorScale
{
    private const string BlocksEnding = "_scale_inv";
    private const string OneEnding = "_scale";
    private const long UsualBlock = 128;

    // Of numbers that kernels quantise as they go, which no weight depends on.
    private static readonly string[] s_ofActivations =
        [".input_scale", ".activation_scale", ".output_scale", ".k_scale", ".v_scale"];

    private readonly StoredTensor _numbers;
    private readonly long _columns;
    private readonly (long Rows, long Columns) _block;
    private readonly Lazy<float[]> _values;

    private TensorScale(StoredTensor numbers, long columns, (long Rows, long Columns) block, string? fault)
    {
        _numbers = numbers;
        _columns = columns;
        _block = block;
        _values = new(Read);
        Fault = fault;
    }

    /// <summary>Of the tensor that holds it.</summary>
    public string Name => _numbers.Name;

    /// <summary>Why it cannot be used, a phrase after the name of the tensor whose it is; null: it can.</summary>
    public string? Fault { get; }

    /// <summary>Whether a tensor belongs to how others were quantised for use, and is neither a weight nor a weight's scale.</summary>
    public static bool IsOfActivations(string name) => s_ofActivations.Any(e => name.EndsWith(e, StringComparison.Ordinal));

    /// <summary>Gives the fp8 tensors of a checkpoint theirs.</summary>
    /// <param name="tensors">All of it, by name.</param>
    /// <param name="block">The size of blocks, where the model's config says it.</param>
    public static void Join(IReadOnlyDictionary<string, StoredTensor> tensors, Func<(long Rows, long Columns)?> block)
    {
        var codes = tensors.Values.Where(t => t.Type is StoredType.F8_E4M3 or StoredType.F8_E5M2).ToList();
        var said = codes.Count > 0 ? block() : null;
        foreach (var tensor in codes)
        {
            tensor.Scale = tensors.TryGetValue(tensor.Name + BlocksEnding, out var blocks) ? Of(tensor, blocks, said)
                : tensors.TryGetValue(tensor.Name + OneEnding, out var one) ? One(tensor, one)
                : null;
        }
    }

    /// <summary>Numbers that a run of codes stands for: each product is one of fp32, rounded once to the destination's type.</summary>
    /// <param name="codes">Of F8_E4M3.</param>
    /// <param name="first">Of the tensor's elements, the first code's.</param>
    /// <param name="destination">As many numbers.</param>
    /// <param name="type">Of these, fp32 or bf16.</param>
    public void Multiply(ReadOnlySpan<byte> codes, long first, Span<byte> destination, DType type)
    {
        float[] values = _values.Value;
        long blocksOfRow = Blocks(_columns, _block.Columns);
        int size = (int)type.Size();
        while (codes.Length > 0)
        {
            var (row, column) = Math.DivRem(first, _columns);
            long inRow = column / _block.Columns;
            int run = (int)Math.Min(codes.Length, Math.Min(_columns, (inRow + 1) * _block.Columns) - column);
            float scale = values[((row / _block.Rows) * blocksOfRow) + inRow];
            if (type == DType.Float32)
            {
                Multiply(codes[..run], scale, MemoryMarshal.Cast<byte, float>(destination));
            }
            else
            {
                Multiply(codes[..run], scale, MemoryMarshal.Cast<byte, ushort>(destination));
            }

            codes = codes[run..];
            destination = destination[(run * size)..];
            first += run;
        }
    }

    private static TensorScale One(StoredTensor tensor, StoredTensor numbers) => new(
        numbers,
        tensor.Count,
        (1, Math.Max(tensor.Count, 1)),
        NotNumbers(numbers) ?? (numbers.Count == 1 ? null : WrongShape(numbers, "one number")));

    private static TensorScale Of(StoredTensor tensor, StoredTensor numbers, (long Rows, long Columns)? said)
    {
        if (numbers.Count == 1 && (said is not { } s || (tensor.Rows <= s.Rows && tensor.Columns <= s.Columns)))
        {
            return One(tensor, numbers);
        }

        var shape = numbers.Shape.Count == 2 ? (Rows: numbers.Shape[0], Columns: numbers.Shape[1]) : default;
        var block = said ?? (Derived(tensor.Rows, shape.Rows), Derived(tensor.Columns, shape.Columns));
        var wanted = (Rows: Blocks(tensor.Rows, block.Rows), Columns: Blocks(tensor.Columns, block.Columns));
        bool fits = tensor.Shape.Count == 2 && shape == wanted;
        string what = $"[{wanted.Rows}, {wanted.Columns}], one number for each block of {block.Rows} x {block.Columns}";
        return new TensorScale(numbers, tensor.Columns, block, NotNumbers(numbers) ?? (fits ? null : WrongShape(numbers, what)));
    }

    /// <summary>The size of blocks of which there are so many along a dimension: the usual one, or the least power of two.</summary>
    private static long Derived(long dimension, long blocks)
    {
        long size = 1;
        while (size < dimension && Blocks(dimension, size) > blocks)
        {
            size *= 2;
        }

        return Blocks(dimension, UsualBlock) == blocks || Blocks(dimension, size) != blocks ? UsualBlock : size;
    }

    private static long Blocks(long dimension, long block) => (dimension + block - 1) / block;

    private static string? NotNumbers(StoredTensor numbers) => numbers.Type.IsReadable() ? null
        : $"has element type {StoredType.F8_E4M3} and a scale {numbers.Name} of type {numbers.Type}, and F32, BF16 and F16 can be read";

    private static string WrongShape(StoredTensor numbers, string wanted) =>
        $"has element type {StoredType.F8_E4M3} and a scale {numbers.Name} of shape [{string.Join(", ", numbers.Shape)}] instead of "
        + wanted;

    private static void Multiply(ReadOnlySpan<byte> codes, float scale, Span<float> destination)
    {
        var numbers = Float8.E4M3;
        for (int i = 0; i < codes.Length; i++)
        {
            destination[i] = numbers[codes[i]] * scale;
        }
    }

    private static void Multiply(ReadOnlySpan<byte> codes, float scale, Span<ushort> destination)
    {
        var numbers = Float8.E4M3;
        for (int i = 0; i < codes.Length; i++)
        {
            destination[i] = ElementConversion.ToBFloat16(numbers[codes[i]] * scale);
        }
    }

    private float[] Read()
    {
        float[] values = new float[_numbers.Count];
        _numbers.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }
}
