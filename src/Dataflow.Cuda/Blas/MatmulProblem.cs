using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>What is multiplied: the operation and the shapes of all four matrices. Made once a shape and kept.</summary>
public sealed class MatmulProblem(MatmulDescription description, MatrixLayout a, MatrixLayout b, MatrixLayout c, MatrixLayout d)
    : IDisposable
{
    /// <summary>The operation: what is transposed, and in what type products are accumulated.</summary>
    public MatmulDescription Description { get; } = description;

    /// <summary>Layout of the left matrix.</summary>
    public MatrixLayout A { get; } = a;

    /// <summary>Layout of the right matrix.</summary>
    public MatrixLayout B { get; } = b;

    /// <summary>Layout of the matrix that is added.</summary>
    public MatrixLayout C { get; } = c;

    /// <summary>Layout of the result.</summary>
    public MatrixLayout D { get; } = d;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CudaHandle part in (CudaHandle[])[Description, A, B, C, D])
        {
            part.Dispose();
        }
    }

    /// <summary>"Float32 accumulation, a BFloat16 4096 x 1024, b ...".</summary>
    public override string ToString() => $"{Description}: a {A}, b {B}, c {C}, d {D}";
}

/// <summary>What is done to the operands, and in which type products are accumulated.</summary>
public sealed unsafe class MatmulDescription : CudaHandle
{
    private readonly string text;

    private MatmulDescription(string text) => this.text = text;

    /// <summary>alpha and beta are fp32 in host memory.</summary>
    public static MatmulDescription Create(
        ComputeType compute,
        MatrixOperation a,
        MatrixOperation b,
        MatmulEpilogue epilogue = MatmulEpilogue.None
    )
    {
        var description = new MatmulDescription($"op(a) {a}, op(b) {b}, accumulated in {compute}");
        nint made;
        CublasLtApi
            .cublasLtMatmulDescCreate(&made, compute, compute == ComputeType.Float64 ? BlasType.Float64 : BlasType.Float32)
            .Check("describing a matrix product");
        description.Adopt(made, of: null);
        description.Set(MatmulDescriptionAttribute.TransposeA, (int)a);
        description.Set(MatmulDescriptionAttribute.TransposeB, (int)b);
        description.Set(MatmulDescriptionAttribute.Epilogue, (int)epilogue);
        return description;
    }

    /// <summary>Says where the bias of the next products is: an element of d's type for each of d's rows.</summary>
    public void SetBias(DevicePointer bias)
    {
        ulong address = bias.Address;
        CublasLtApi
            .cublasLtMatmulDescSetAttribute(this, MatmulDescriptionAttribute.BiasPointer, &address, sizeof(ulong))
            .Check("giving a matrix product its bias");
    }

    /// <inheritdoc/>
    public override string ToString() => text;

    internal void Set(MatmulDescriptionAttribute attribute, int value) =>
        CublasLtApi
            .cublasLtMatmulDescSetAttribute(this, attribute, &value, sizeof(int))
            .Check($"setting {attribute} of a matrix product to {value}");

    internal int Get(MatmulDescriptionAttribute attribute)
    {
        int value;
        nuint written;
        CublasLtApi
            .cublasLtMatmulDescGetAttribute(this, attribute, &value, sizeof(int), &written)
            .Check($"reading {attribute} of a matrix product");
        return value;
    }

    private protected override void Release(nint value) => _ = CublasLtApi.cublasLtMatmulDescDestroy(value);
}

/// <summary>A matrix's type and shape.</summary>
public sealed unsafe class MatrixLayout : CudaHandle
{
    private readonly string text;

    private MatrixLayout(string text) => this.text = text;

    /// <param name="type">Of the elements.</param>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="columns">Columns of the matrix.</param>
    /// <param name="leadingDimension">Elements from one column to the next where columns lie together, from one row to the next where rows
    /// do.</param>
    /// <param name="order">Whether columns or rows lie together.</param>
    public static MatrixLayout Create(
        BlasType type,
        long rows,
        long columns,
        long leadingDimension,
        MatrixOrder order = MatrixOrder.ColumnMajor
    )
    {
        var layout = new MatrixLayout($"{type} {rows} x {columns} by {leadingDimension}");
        nint made;
        CublasLtApi
            .cublasLtMatrixLayoutCreate(&made, type, (ulong)rows, (ulong)columns, leadingDimension)
            .Check($"describing a matrix ({layout})");
        layout.Adopt(made, of: null);
        if (order != MatrixOrder.ColumnMajor)
        {
            int value = (int)order;
            CublasLtApi
                .cublasLtMatrixLayoutSetAttribute(layout, MatrixLayoutAttribute.Order, &value, sizeof(int))
                .Check($"describing a matrix ({layout})");
        }

        return layout;
    }

    /// <inheritdoc/>
    public override string ToString() => text;

    internal long Get(MatrixLayoutAttribute attribute, int size)
    {
        long value = 0;
        nuint written;
        CublasLtApi
            .cublasLtMatrixLayoutGetAttribute(this, attribute, &value, (nuint)size, &written)
            .Check($"reading {attribute} of a matrix");
        return value;
    }

    private protected override void Release(nint value) => _ = CublasLtApi.cublasLtMatrixLayoutDestroy(value);
}

/// <summary>Which algorithms are acceptable.</summary>
public sealed unsafe class MatmulPreference : CudaHandle
{
    private readonly Model.Bytes workspace;

    private MatmulPreference(Model.Bytes workspace) => this.workspace = workspace;

    /// <summary>Algorithms that are repeatable: within a workspace, without the reduction that depends on timing.</summary>
    /// <param name="workspace">Bytes that they may have.</param>
    /// <param name="reductions">How a split sum may be put together; <see cref="ReductionSchemes.InPlace"/> is not repeatable.</param>
    /// <param name="numerics">What they may compute with; null for anything.</param>
    public static MatmulPreference Create(
        Model.Bytes workspace,
        ReductionSchemes reductions = ReductionSchemes.ComputeType,
        NumericalFlags? numerics = null
    )
    {
        var preference = new MatmulPreference(workspace);
        nint made;
        CublasLtApi.cublasLtMatmulPreferenceCreate(&made).Check("describing which algorithms will do");
        preference.Adopt(made, of: null);
        ulong bytes = (ulong)workspace.Value;
        preference.Set(MatmulPreferenceAttribute.MaxWorkspaceBytes, &bytes, sizeof(ulong));
        uint mask = (uint)reductions;
        preference.Set(MatmulPreferenceAttribute.ReductionSchemeMask, &mask, sizeof(uint));
        if (numerics is { } flags)
        {
            preference.Set(MatmulPreferenceAttribute.ImplementationMask, &flags, sizeof(ulong));
        }

        return preference;
    }

    /// <summary>
    /// Says on how many bytes each operand starts at least, in the order of <see cref="MatmulOperands"/>; without it the library takes 256.
    /// </summary>
    public void StartOn(uint a, uint b, uint c, uint d)
    {
        Set(MatmulPreferenceAttribute.MinAlignmentA, &a, sizeof(uint));
        Set(MatmulPreferenceAttribute.MinAlignmentB, &b, sizeof(uint));
        Set(MatmulPreferenceAttribute.MinAlignmentC, &c, sizeof(uint));
        Set(MatmulPreferenceAttribute.MinAlignmentD, &d, sizeof(uint));
    }

    /// <inheritdoc/>
    public override string ToString() => $"workspace of at most {workspace}";

    internal ulong Get(MatmulPreferenceAttribute attribute, int size)
    {
        ulong value = 0;
        nuint written;
        CublasLtApi
            .cublasLtMatmulPreferenceGetAttribute(this, attribute, &value, (nuint)size, &written)
            .Check($"reading {attribute} of a preference");
        return value;
    }

    private void Set(MatmulPreferenceAttribute attribute, void* value, int size) =>
        CublasLtApi.cublasLtMatmulPreferenceSetAttribute(this, attribute, value, (nuint)size).Check($"setting {attribute} of a preference");

    private protected override void Release(nint value) => _ = CublasLtApi.cublasLtMatmulPreferenceDestroy(value);
}
