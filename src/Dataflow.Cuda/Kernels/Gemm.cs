using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// Matrix products by cuBLASLt, accumulated in fp32. Which algorithm a product gets depends on its shape, the device and the library's
/// version, and on nothing else: results must not depend on a plan. Split sums are put together by a second kernel, never in the order
/// in which parts happen to end.
/// </summary>
internal sealed class Gemm(CublasLt library, DevicePointer workspace) : IDisposable
{
    /// <summary>Bytes of device memory that algorithms may use.</summary>
    public static readonly Bytes Workspace = new(32L << 20);

    private readonly MatmulPreference preference = MatmulPreference.Create(Workspace);
    private readonly Dictionary<ProductShape, Plan> plans = [];

    /// <summary>Chooses the algorithm of a product, so that nothing is chosen or allocated once steps run.</summary>
    public void Prepare(in Product product)
    {
        var shape = ProductShape.Of(product.A, product.TransposeA, product.B, product.TransposeB, product.C, product.Adds);
        _ = PlanOf(shape with { HasBias = product.HasBias });
    }

    /// <inheritdoc cref="IKernels.Gemm"/>
    public void Run(CudaStream stream, in GemmArguments call)
    {
        var shape = ProductShape.Of(call.A, call.TransposeA, call.B, call.TransposeB, call.C, call.Addend is not null);
        var plan = PlanOf(shape with { HasBias = call.Bias is not null });
        if (call.Bias is { } row)
        {
            plan.Problem.Description.SetBias(At(row));
        }

        // Row-major c = op(a) op(b) is, read by columns, c^T = op(b)^T op(a)^T: the operands change places.
        var operands = new MatmulOperands
        {
            Alpha = call.Scale,
            A = At(call.B),
            B = At(call.A),
            Beta = call.Addend is null ? 0 : 1,
            C = At(call.Addend ?? call.C),
            D = At(call.C),
        };
        library.Multiply(stream, plan.Problem, plan.Algorithm, operands, workspace, Workspace);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var plan in plans.Values)
        {
            plan.Problem.Dispose();
        }

        preference.Dispose();
    }

    /// <summary>
    /// Where sequences are continued, how many rows a product has is known when a step runs: it is chosen for at the first such step.
    /// </summary>
    private Plan PlanOf(in ProductShape shape) => plans.TryGetValue(shape, out var known) ? known : plans[shape] = Choose(shape);

    private Plan Choose(ProductShape product)
    {
        var problem = product.Describe();
        if (product.HasBias)
        {
            problem.Description.SetBias(workspace); // any address as well aligned as those of tensors: proposals go by that
        }

        using var anywhere = product.StartsAnywhere ? MatmulPreference.Create(Workspace) : null;
        anywhere?.StartOn(product.B.ElementBytes, product.A.ElementBytes, product.C.ElementBytes, product.C.ElementBytes);
        var candidates = library.Propose(problem, anywhere ?? preference, 1);
        return candidates.Count > 0
            ? new Plan(problem, candidates[0].Algorithm)
            : throw new MachineException(
                $"cuBLASLt {CublasLt.LibraryVersion} has no repeatable algorithm for {problem}; run this model with --device cpu"
            );
    }

    private sealed record Plan(MatmulProblem Problem, MatmulAlgorithm Algorithm);

    /// <summary>
    /// What distinguishes one product from another: the stored shapes, what is transposed, the types, and what is added. The library adds a
    /// bias to the fp32 sums, addend included, before they are rounded.
    /// </summary>
    private readonly record struct ProductShape(
        Stored A,
        Transpose TransposeA,
        Stored B,
        Transpose TransposeB,
        Stored C,
        bool Adds
    )
    {
        /// <summary>Whether a row is added to all rows.</summary>
        public bool HasBias { get; init; }

        /// <summary>Whether a row of an operand, which a product may begin with, does not start on 16 bytes.</summary>
        public bool StartsAnywhere => !(A.IsAligned && B.IsAligned && C.IsAligned);

        public static ProductShape Of(in Tensor a, Transpose ta, in Tensor b, Transpose tb, in Tensor c, bool adds) =>
            new(Stored.Of(a), ta, Stored.Of(b), tb, Stored.Of(c), adds);

        public MatmulProblem Describe()
        {
            return new MatmulProblem(
                MatmulDescription.Create(
                    ComputeType.Float32,
                    OperationOf(TransposeB),
                    OperationOf(TransposeA),
                    HasBias ? MatmulEpilogue.Bias : MatmulEpilogue.None
                ),
                B.Layout(),
                A.Layout(),
                C.Layout(),
                C.Layout()
            );
        }

        private static MatrixOperation OperationOf(Transpose transpose) =>
            transpose == Transpose.Yes ? MatrixOperation.Transpose : MatrixOperation.None;
    }

    /// <summary>A matrix without its address.</summary>
    /// <param name="Rows">Of the matrix.</param>
    /// <param name="Columns">Of the matrix.</param>
    /// <param name="Stride">Elements from row to row.</param>
    /// <param name="Type">Of the elements.</param>
    /// <param name="IsAligned">All its rows start on 16 bytes.</param>
    private readonly record struct Stored(int Rows, int Columns, int Stride, DType Type, bool IsAligned)
    {
        public static Stored Of(in Tensor tensor) =>
            new(
                tensor.Rows,
                tensor.Columns,
                tensor.Stride,
                tensor.Type,
                Launches.IsAligned(tensor.Type, tensor.Stride) && tensor.Address % 16 == 0
            );

        public uint ElementBytes => (uint)Type.Size();

        /// <summary>A row-major matrix of r rows and n columns is a column-major one of n rows and r columns.</summary>
        public MatrixLayout Layout() =>
            MatrixLayout.Create(Type == DType.Float32 ? BlasType.Float32 : BlasType.BFloat16, Columns, Rows, Stride);
    }
}
