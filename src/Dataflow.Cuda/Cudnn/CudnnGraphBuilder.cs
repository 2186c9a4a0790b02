using System.Collections.Immutable;
using static Dataflow.Cuda.CudnnAttributeName;
using static Dataflow.Cuda.CudnnDescriptorType;

namespace Dataflow.Cuda;

/// <summary>A tensor of a graph that is being built.</summary>
/// <param name="Place">In the order of creation.</param>
/// <param name="Type">Of its elements.</param>
/// <param name="Shape">Where they are.</param>
internal readonly record struct CudnnTensor(int Place, CudnnDataType Type, CudnnShape Shape);

/// <summary>Four dimensions and the elements from one to the next along each.</summary>
internal readonly record struct CudnnShape(ImmutableArray<long> Dimensions, ImmutableArray<long> Strides)
{
    /// <summary>The last dimension's elements lie close together.</summary>
    public static CudnnShape Dense(long batch, long heads, long rows, long columns) =>
        new([batch, heads, rows, columns], [heads * rows * columns, rows * columns, columns, 1]);

    /// <summary>Tokens one after the other, each a row that heads lie in.</summary>
    public static CudnnShape TokenMajor(long batch, long heads, long tokens, long headDim, long row) =>
        new([batch, heads, tokens, headDim], [tokens * row, headDim, row, 1]);

    /// <summary>The last two dimensions exchanged: the same memory.</summary>
    public CudnnShape Transposed() => new(Swapped(Dimensions), Swapped(Strides));

    private static ImmutableArray<long> Swapped(ImmutableArray<long> of) => [of[0], of[1], of[3], of[2]];
}

/// <summary>
/// Writes descriptors down in the order in which cuDNN is to create them. Every pointwise operation says that it multiplies its operands
/// by 1, and every tensor whether it is virtual or a number: as cuDNN's own frontend does, with nothing left to defaults.
/// </summary>
internal sealed class CudnnGraphBuilder
{
    private const int Alignment = 16;

    private readonly ImmutableArray<CudnnDescriptor>.Builder descriptors = ImmutableArray.CreateBuilder<CudnnDescriptor>();
    private readonly ImmutableArray<CudnnOperand>.Builder tensors = ImmutableArray.CreateBuilder<CudnnOperand>();
    private readonly ImmutableArray<CudnnScalar>.Builder scalars = ImmutableArray.CreateBuilder<CudnnScalar>();
    private readonly List<int> operations = [];
    private int lastVirtual = 100;

    /// <summary>Tensors with memory so far.</summary>
    public ImmutableArray<CudnnOperand> Tensors => tensors.ToImmutable();

    /// <summary>Numbers so far.</summary>
    public ImmutableArray<CudnnScalar> Scalars => scalars.ToImmutable();

    /// <summary>A tensor that memory of the device stands behind.</summary>
    /// <param name="operand">Which.</param>
    /// <param name="type">Of its elements.</param>
    /// <param name="shape">Where they are.</param>
    /// <param name="offsets">Of packed documents: where each begins.</param>
    public CudnnTensor Memory(CudnnOperand operand, CudnnDataType type, CudnnShape shape, CudnnTensor? offsets = null)
    {
        tensors.Add(operand);
        return Tensor((int)operand, type, shape, isVirtual: 0, byValue: 0, offsets);
    }

    /// <summary>A number that a run gives.</summary>
    public CudnnTensor Number(CudnnOperand operand, CudnnDataType type, double value)
    {
        scalars.Add(new(operand, type, value));
        return Tensor((int)operand, type, CudnnShape.Dense(1, 1, 1, 1), isVirtual: 0, byValue: 1, null);
    }

    /// <summary>An intermediate result.</summary>
    public CudnnTensor Virtual(CudnnDataType type, CudnnShape shape, CudnnTensor? offsets = null) =>
        Tensor(++lastVirtual, type, shape, isVirtual: 1, byValue: 0, offsets);

    /// <summary>y = f(x, b).</summary>
    public CudnnTensor Pointwise(CudnnPointwiseMode mode, CudnnDataType compute, CudnnTensor x, CudnnTensor? b, CudnnTensor y) =>
        Pointwise(Function(mode, compute), x, b, null, y);

    /// <summary>y = x where the predicate holds, else otherwise.</summary>
    public CudnnTensor Select(CudnnTensor x, CudnnTensor otherwise, CudnnTensor predicate, CudnnTensor y) =>
        Pointwise(Function(CudnnPointwiseMode.Select, CudnnDataType.Float), x, otherwise, predicate, y);

    /// <summary>y = each element's place along an axis of x.</summary>
    public CudnnTensor Index(int axis, CudnnDataType compute, CudnnTensor x, CudnnTensor y) =>
        Pointwise(Function(CudnnPointwiseMode.Index, compute, axis), x, null, null, y);

    /// <summary>The gradient of x of tanh(x), of that of its result.</summary>
    public CudnnTensor TanhBackward(CudnnTensor x, CudnnTensor gradY, CudnnTensor gradX)
    {
        int function = Function(CudnnPointwiseMode.TanhBackward, CudnnDataType.Float);
        Operate(OperationPointwise, [
            Reference(OperationPointwiseDescriptor, function),
            Reference(OperationPointwiseX, x.Place),
            Reference(OperationPointwiseGradY, gradY.Place),
            Reference(OperationPointwiseGradX, gradX.Place),
            .. Alphas(),
        ]);
        return gradX;
    }

    /// <summary>c = a b, products added up in fp32.</summary>
    /// <param name="a">Left.</param>
    /// <param name="b">Right.</param>
    /// <param name="c">Result.</param>
    /// <param name="rows">Of packed documents: tokens along the rows of c; null where they are whole.</param>
    /// <param name="columns">Likewise along its columns.</param>
    /// <param name="inner">Likewise along what is added up.</param>
    /// <param name="padded">Whether what is beyond is to count as 0.</param>
    public CudnnTensor Matmul(
        CudnnTensor a, CudnnTensor b, CudnnTensor c, CudnnTensor? rows, CudnnTensor? columns, CudnnTensor? inner, bool padded = false)
    {
        var compute = Enumerant(MatmulComputeType, CudnnAttributeType.DataType, (int)CudnnDataType.Float);
        int matmul = Add(CudnnDescriptorType.Matmul, padded
            ? [compute, new CudnnAttribute.Reals(MatmulPaddingValue, CudnnAttributeType.Double, [0])]
            : [compute]);
        Operate(OperationMatmul, [
            Reference(OperationMatmulDescriptor, matmul),
            Reference(OperationMatmulA, a.Place),
            Reference(OperationMatmulB, b.Place),
            Reference(OperationMatmulC, c.Place),
            .. Optional(OperationMatmulRows, rows),
            .. Optional(OperationMatmulColumns, columns),
            .. Optional(OperationMatmulInner, inner),
        ]);
        return c;
    }

    /// <summary>y = x over the dimensions in which y is smaller.</summary>
    public CudnnTensor Reduce(CudnnReductionOperator by, CudnnTensor x, CudnnTensor y)
    {
        int reduction = Add(Reduction, [
            Enumerant(ReductionOperator, CudnnAttributeType.ReductionOperator, (int)by),
            Enumerant(ReductionComputeType, CudnnAttributeType.DataType, (int)CudnnDataType.Float),
        ]);
        Operate(OperationReduction, [
            Reference(OperationReductionDescriptor, reduction),
            Reference(OperationReductionX, x.Place),
            Reference(OperationReductionY, y.Place),
        ]);
        return y;
    }

    /// <summary>y = x seen with the dimensions and strides of y.</summary>
    public CudnnTensor Reshape(CudnnTensor x, CudnnTensor y)
    {
        Operate(OperationReshape, [Reference(OperationReshapeX, x.Place), Reference(OperationReshapeY, y.Place)]);
        return y;
    }

    /// <summary>Ends with the graph of all operations so far.</summary>
    public ImmutableArray<CudnnDescriptor> Finish()
    {
        _ = Add(OperationGraph, [new CudnnAttribute.References(OperationGraphOperations, [.. operations])]);
        return descriptors.ToImmutable();
    }

    private static CudnnAttribute.References Reference(CudnnAttributeName name, int place) => new(name, [place]);

    private static CudnnAttribute[] Optional(CudnnAttributeName name, CudnnTensor? tensor) =>
        tensor is { } given ? [Reference(name, given.Place)] : [];

    private static CudnnAttribute.Integers Enumerant(CudnnAttributeName name, CudnnAttributeType type, long value) =>
        new(name, type, [value]);

    private static CudnnAttribute[] Alphas() =>
        [
            new CudnnAttribute.Reals(OperationPointwiseAlpha1, CudnnAttributeType.Float, [1]),
            new CudnnAttribute.Reals(OperationPointwiseAlpha2, CudnnAttributeType.Float, [1]),
        ];

    private CudnnTensor Tensor(int id, CudnnDataType type, CudnnShape shape, int isVirtual, int byValue, CudnnTensor? offsets) =>
        new(
            Add(CudnnDescriptorType.Tensor, [
                Enumerant(TensorUniqueId, CudnnAttributeType.Int64, id),
                Enumerant(TensorDataType, CudnnAttributeType.DataType, (int)type),
                Enumerant(TensorByteAlignment, CudnnAttributeType.Int64, Alignment),
                new CudnnAttribute.Integers(TensorDimensions, CudnnAttributeType.Int64, shape.Dimensions),
                new CudnnAttribute.Integers(TensorStrides, CudnnAttributeType.Int64, shape.Strides),
                Enumerant(TensorIsVirtual, CudnnAttributeType.Boolean, isVirtual),
                Enumerant(TensorIsByValue, CudnnAttributeType.Boolean, byValue),
                .. Optional(TensorRaggedOffset, offsets),
            ]),
            type,
            shape
        );

    private int Function(CudnnPointwiseMode mode, CudnnDataType compute, int? axis = null)
    {
        CudnnAttribute[] attributes =
        [
            Enumerant(PointwiseMode, CudnnAttributeType.PointwiseMode, (int)mode),
            Enumerant(PointwiseMathPrecision, CudnnAttributeType.DataType, (int)compute),
        ];
        return Add(CudnnDescriptorType.Pointwise, axis is { } along
            ? [.. attributes, Enumerant(PointwiseAxis, CudnnAttributeType.Int64, along)]
            : attributes);
    }

    private CudnnTensor Pointwise(int function, CudnnTensor x, CudnnTensor? b, CudnnTensor? predicate, CudnnTensor y)
    {
        Operate(OperationPointwise, [
            Reference(OperationPointwiseDescriptor, function),
            Reference(OperationPointwiseX, x.Place),
            .. Optional(OperationPointwiseB, b),
            .. Optional(OperationPointwisePredicate, predicate),
            Reference(OperationPointwiseY, y.Place),
            .. Alphas(),
        ]);
        return y;
    }

    private void Operate(CudnnDescriptorType type, CudnnAttribute[] attributes) => operations.Add(Add(type, attributes));

    private int Add(CudnnDescriptorType type, CudnnAttribute[] attributes)
    {
        descriptors.Add(new(type, [.. attributes]));
        return descriptors.Count - 1;
    }
}
