using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>A tensor of a checkpoint: a run of consecutive elements of a parameter.</summary>
/// <param name="CheckpointName">Hugging Face name; "{layer}" stands for the block's index.</param>
/// <param name="FirstElement">Its first element, counted from the parameter's start.</param>
/// <param name="Shape">In the checkpoint: [out, in] of a matrix, [n] of a vector, [channels, 1, taps] of a convolution.</param>
public sealed record WeightPart(string CheckpointName, long FirstElement, ImmutableArray<long> Shape)
{
    /// <summary>Where its rows are in the checkpoint, if not in the order of memory.</summary>
    public RowOrder? Order { get; init; }

    /// <summary>A matrix that is stored [in, out]: memory has it the other way round.</summary>
    public bool IsTransposed { get; init; }

    /// <summary>
    /// It is so many matrices, or vectors, one behind the other: <see cref="Order"/> and <see cref="IsTransposed"/> are of each of them.
    /// </summary>
    public int Stack { get; init; } = 1;

    /// <summary>
    /// The checkpoint has the stack's matrices [rows, columns] side by side as [rows, columns x count], columns of one number next to each
    /// other; <see cref="Order"/> is of the rows.
    /// </summary>
    public bool IsSideBySide { get; init; }

    /// <summary>Each layer has one.</summary>
    public bool IsOfLayer => CheckpointName.Contains("{layer}", StringComparison.Ordinal);

    /// <summary>Number of elements.</summary>
    public long ElementCount => Shape.Aggregate(1L, (product, n) => product * n);
}

/// <summary>What a parameter, or a part of it, is called in a checkpoint.</summary>
/// <param name="Name">Hugging Face name; "{layer}" stands for the block's index.</param>
/// <param name="Rows">Of a matrix; of a vector its length.</param>
/// <param name="Order">Where they are in the checkpoint, if not in the order of memory.</param>
/// <param name="Transposed">They are the checkpoint's columns.</param>
public readonly record struct NamedRows(string Name, long Rows, RowOrder? Order = null, bool Transposed = false)
{
    /// <summary>In the order of memory.</summary>
    public static implicit operator NamedRows((string Name, long Rows) named) => new(named.Name, named.Rows);
}

/// <summary>
/// All that is to be known of a parameter, in one line of its family's list: memory layouts, names and shapes in checkpoints, counts and
/// initial values follow from it.
/// </summary>
public sealed record ParameterSpec
{
    private ParameterSpec(WeightName name, long rows, long columns, InitialValues initial, ImmutableArray<WeightPart> parts) =>
        (Name, Rows, Columns, Initial, Parts) = (name, rows, columns, initial, parts);

    /// <summary>What calls name it by.</summary>
    public WeightName Name { get; }

    /// <summary>Out; 1 of a vector.</summary>
    public long Rows { get; }

    /// <summary>In; of a vector its length.</summary>
    public long Columns { get; }

    /// <summary>Number of elements.</summary>
    public long Count => Rows * Columns;

    /// <summary>It is what a product multiplies by, or a table of rows.</summary>
    public bool IsMatrix => Rows > 1 && Name != WeightName.ConvolutionTaps;

    /// <summary>What training starts from.</summary>
    public InitialValues Initial { get; }

    /// <summary>What it is in a checkpoint, in memory order.</summary>
    public ImmutableArray<WeightPart> Parts { get; }

    /// <summary>
    /// Which of its layer's objects it lies in. Parameters in a row of one group are streamed together, and apart from those of another.
    /// </summary>
    public int Group { get; init; }

    /// <summary>
    /// Training changes it. What is frozen has no gradient and no optimizer state, and is an object apart from what is trained.
    /// </summary>
    public bool IsTrained { get; init; } = true;

    /// <summary>How what is frozen is stored, if not in the type that the recipe has for parameters.</summary>
    public DType? Storage { get; init; }

    /// <summary>The matrix that these are some rows of; null if it is all of one.</summary>
    public ParameterSpec? RowsOf { get; init; }

    /// <summary>Some of a matrix's rows, as an object that has no name in a checkpoint.</summary>
    public ParameterSpec WithRows(long rows) =>
        new(Name, rows, Columns, Initial, []) { Group = Group, IsTrained = IsTrained, Storage = Storage, RowsOf = this };

    /// <summary>Of some of the experts of a matrix: its first row of the matrix of all.</summary>
    public long FirstRow { get; private init; }

    /// <summary>Of a matrix of so many experts some, as an object of their own, with the tensors of a checkpoint that are theirs.</summary>
    /// <param name="experts">Experts of the matrix.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many.</param>
    internal ParameterSpec OfExperts(int experts, int first, int count)
    {
        long firstRow = Rows / experts * first, rows = Rows / experts * count;
        int each = Parts.Length / experts;
        ImmutableArray<WeightPart> parts =
        [
            .. each == 0
                ? Parts.Select(p => p with { Stack = count, Shape = [.. p.Shape.Select((n, i) => i == 0 ? count : n)] })
                : Parts
                    .Skip(first * each)
                    .Take(count * each)
                    .Select(p => p with { FirstElement = p.FirstElement - (firstRow * Columns) }),
        ];
        return new ParameterSpec(Name, rows, Columns, Initial, parts)
        {
            Group = Group,
            IsTrained = IsTrained,
            Storage = Storage,
            FirstRow = firstRow,
        };
    }

    /// <summary>
    /// Whether what shares a scale in a type is of one tensor of a checkpoint, as neighbours there or as a run of one of our rows. Of a
    /// tensor by itself, as bitsandbytes has it, it is neighbours in [out, in].
    /// </summary>
    internal bool HasWholeBlocks(DType type) =>
        Parts.All(p =>
            p.Order is null && type.IsByTensor() ? true
            : p.Order is null && !p.IsTransposed ? p.ElementCount % type.ElementsPerScale() == 0
            : Columns % type.ElementsPerScale() == 0 && type != DType.Nf4Nested
        );

    /// <summary>Bytes of what is frozen, stored in a type.</summary>
    internal Bytes SizeIn(DType type) =>
        type.IsByTensor() ? new(Parts.Sum(p => type.SizeOf(p.ElementCount).Value)) : type.SizeOf(Count);

    /// <summary>A matrix [out, in], of parts with so many rows each.</summary>
    public static ParameterSpec Matrix(WeightName name, long columns, InitialValues initial, params ReadOnlySpan<NamedRows> parts)
    {
        var named = ImmutableArray.CreateBuilder<WeightPart>(parts.Length);
        long rows = 0;
        foreach (var (checkpointName, count, order, transposed) in parts)
        {
            ImmutableArray<long> shape = transposed ? [columns, count] : [count, columns];
            named.Add(new WeightPart(checkpointName, rows * columns, shape) { Order = order, IsTransposed = transposed });
            rows += count;
        }

        return new ParameterSpec(name, rows, columns, initial, named.MoveToImmutable());
    }

    /// <summary>The taps of a convolution of each column alone, which a checkpoint has as [columns, 1, taps].</summary>
    public static ParameterSpec Convolution(WeightName name, int taps, InitialValues initial, params ReadOnlySpan<NamedRows> columns)
    {
        var spec = Matrix(name, taps, initial, columns);
        return new ParameterSpec(
            name, spec.Rows, taps, initial, [.. spec.Parts.Select(p => p with { Shape = [p.Shape[0], 1, taps] })]);
    }

    /// <summary>So many matrices one behind the other, which a checkpoint has as one tensor [count, rows, columns].</summary>
    public static ParameterSpec Stacked(WeightName name, int count, int columns, InitialValues initial, NamedRows rows)
    {
        var spec = Matrix(name, columns, initial, rows with { Rows = count * rows.Rows });
        ImmutableArray<long> shape = rows.Transposed ? [count, columns, rows.Rows] : [count, rows.Rows, columns];
        return new ParameterSpec(name, spec.Rows, columns, initial, [spec.Parts[0] with { Shape = shape, Stack = count }]);
    }

    /// <summary>
    /// So many matrices one behind the other, which a checkpoint has side by side (<see cref="WeightPart.IsSideBySide"/>).
    /// </summary>
    public static ParameterSpec SideBySide(WeightName name, int count, int columns, InitialValues initial, NamedRows rows)
    {
        var spec = Matrix(name, columns, initial, rows with { Rows = count * rows.Rows });
        var part = spec.Parts[0] with { Shape = [rows.Rows, (long)columns * count], Stack = count, IsSideBySide = true };
        return new ParameterSpec(name, spec.Rows, columns, initial, [part]);
    }

    /// <summary>So many vectors one behind the other, which a checkpoint has as one tensor [count, length].</summary>
    public static ParameterSpec StackedVectors(WeightName name, int count, InitialValues initial, NamedRows rows)
    {
        var spec = VectorOfRows(name, initial, rows with { Rows = count * rows.Rows }, count);
        return new ParameterSpec(name, 1, spec.Columns, initial, [spec.Parts[0] with { Stack = count }]);
    }

    /// <summary>A vector that a checkpoint has as a matrix of so many rows.</summary>
    public static ParameterSpec VectorOfRows(WeightName name, InitialValues initial, NamedRows part, int rows)
    {
        var spec = Vector(name, initial, part);
        return new ParameterSpec(name, 1, spec.Columns, initial, [spec.Parts[0] with { Shape = [rows, spec.Columns / rows] }]);
    }

    /// <summary>A vector, of parts of such lengths.</summary>
    public static ParameterSpec Vector(WeightName name, InitialValues initial, params ReadOnlySpan<NamedRows> parts)
    {
        var named = ImmutableArray.CreateBuilder<WeightPart>(parts.Length);
        long length = 0;
        foreach (var (checkpointName, count, order, _) in parts)
        {
            named.Add(new WeightPart(checkpointName, length, [count]) { Order = order });
            length += count;
        }

        return new ParameterSpec(name, 1, length, initial, named.MoveToImmutable());
    }
}

/// <summary>What the elements of a parameter are when training starts.</summary>
public abstract record InitialValues
{
    private InitialValues() { }

    /// <summary>Of a norm's scale: it changes nothing.</summary>
    public static InitialValues One { get; } = new Constant(1);

    /// <summary>Of a bias: it adds nothing.</summary>
    public static InitialValues Zero { get; } = new Constant(0);

    /// <summary>
    /// Of a table of embeddings, as GPT-2 and Llama have it: small beside what the first blocks add, so that an optimizer with a bounded
    /// step can reshape it quickly, and right for a tied head, whose logits start near 0.
    /// </summary>
    public static InitialValues Embedding { get; } = new Normal(0.02);

    /// <summary>Of a matrix: uniform in +-1/sqrt(fan in).</summary>
    public static InitialValues FanIn(long columns) => new Uniform(1 / Math.Sqrt(columns));

    /// <summary>
    /// Of a matrix that writes to the residual stream, as two of each layer do: smaller by sqrt(2 layers), so that the stream does not grow
    /// with depth (Radford et al., 2019).
    /// </summary>
    public static InitialValues IntoStream(long columns, int layers) => new Uniform(1 / Math.Sqrt(columns * (2.0 * layers)));

    /// <summary>Of a logarithm of decay, as Mamba 2 has it: heads decay at rates of 1, 2, 3, ...</summary>
    public static InitialValues DecayByHead { get; } = new LogarithmOfPlace();

    /// <summary>All equal.</summary>
    public sealed record Constant(float Value) : InitialValues;

    /// <summary>Close to normal around 0.</summary>
    public sealed record Normal(double Deviation) : InitialValues;

    /// <summary>Uniform between -bound and +bound.</summary>
    public sealed record Uniform(double Bound) : InitialValues;

    /// <summary>The natural logarithm of what is uniform between two positive numbers.</summary>
    public sealed record LogarithmOfUniform(double Least, double Most) : InitialValues;

    /// <summary>Of which the softplus is log-uniform between two positive numbers, and at least a third.</summary>
    public sealed record StepsOfLogUniform(double Least, double Most, double Floor) : InitialValues;

    /// <summary>The natural logarithms of 1, 2, 3, ...</summary>
    public sealed record LogarithmOfPlace : InitialValues;
}
