using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// A borrowed row-major view of fp32 or bf16 elements: element (i, j) lies at <c>Data + (i * Stride + j) * size</c>.
/// Owns nothing; offsets are computed in 64 bits, so a view may span more than 2^31 bytes.
/// </summary>
public readonly unsafe struct Matrix
{
    /// <summary>
    /// A view of <paramref name="rows"/> x <paramref name="columns"/> elements, <paramref name="stride"/> elements from row to row.
    /// </summary>
    /// <exception cref="ArgumentException">The type is neither fp32 nor bf16, a size is negative, or the stride is below the
    /// columns.</exception>
    public Matrix(void* data, DType type, int rows, int columns, int stride)
    {
        if (type is not (DType.Float32 or DType.BFloat16))
        {
            throw new ArgumentException($"a matrix holds fp32 or bf16, not {type.Name()}", nameof(type));
        }

        if (rows < 0 || columns < 0 || stride < columns)
        {
            throw new ArgumentException($"a matrix of {rows} x {columns} cannot have a stride of {stride}", nameof(stride));
        }

        Data = (byte*)data;
        Type = type;
        Rows = rows;
        Columns = columns;
        Stride = stride;
    }

    /// <summary>A dense view: the stride is the number of columns.</summary>
    public Matrix(void* data, DType type, int rows, int columns)
        : this(data, type, rows, columns, columns)
    {
    }

    /// <summary>An operand of a call: on this device an address is one of the process.</summary>
    internal Matrix(in Tensor tensor)
        : this((void*)tensor.Address, tensor.Type, tensor.Rows, tensor.Columns, tensor.Stride)
    {
    }

    /// <summary>Element (0, 0).</summary>
    public byte* Data { get; }

    /// <summary>fp32 or bf16.</summary>
    public DType Type { get; }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Number of columns.</summary>
    public int Columns { get; }

    /// <summary>Elements between the starts of consecutive rows.</summary>
    public int Stride { get; }

    /// <summary>Bytes of one element.</summary>
    public int ElementBytes => Type == DType.Float32 ? 4 : 2;

    /// <summary>Address of element (<paramref name="row"/>, 0).</summary>
    public byte* Row(int row) => Data + ((long)row * Stride * ElementBytes);

    /// <summary>Rows <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> - 1 of the same memory.</summary>
    public Matrix RowRange(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + count, Rows, nameof(count));
        return new Matrix(Row(first), Type, count, Columns, Stride);
    }

    /// <summary>Columns <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> - 1 of the same memory.</summary>
    public Matrix ColumnRange(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + count, Columns, nameof(count));
        return new Matrix(Data + ((long)first * ElementBytes), Type, Rows, count, Stride);
    }

    /// <summary>An operand that may be left out.</summary>
    internal static Matrix? Of(in Tensor? tensor) => tensor is { } some ? new Matrix(some) : null;

    /// <summary>fp32 sums of the shape of another tensor.</summary>
    internal static Matrix Sums(nuint address, in Tensor like) => new((void*)address, DType.Float32, like.Rows, like.Columns);

    /// <summary>Throws unless the view has this shape.</summary>
    internal void Expect(int rows, int columns, string name)
    {
        if (Rows != rows || Columns != columns)
        {
            throw new ArgumentException($"{name} is {Rows} x {Columns}, expected {rows} x {columns}", name);
        }
    }
}
