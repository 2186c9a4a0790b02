using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// Matrix products by cuBLASLt, accumulated in fp32. Which algorithm a product gets depends on its shape, the device, the library's
/// version and what is stored for them, and on nothing else: results must not depend on a plan. Where nothing is stored it is the library's
/// first proposal. Split sums are put together by a second kernel, never in the order in which parts happen to end.
/// </summary>
internal sealed class Gemm(CublasLt library, DevicePointer workspace, ProductChoices? choices = null) : IDisposable
{
    /// <summary>Bytes of device memory that algorithms may use.</summary>
    public static readonly Bytes Workspace = new(32L << 20);

    private readonly Dictionary<ProductShape, Plan> plans = [];

    /// <summary>Chooses the algorithm of a product, so that nothing is chosen or allocated once steps run.</summary>
    public void Prepare(in Product product) => _ = PlanOf(ProductShape.Of(product));

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

        if (choices?[product] is { } stored)
        {
            return library.Check(problem, stored.Value) is { } accepted && accepted.Workspace <= Workspace && accepted.IsRepeatable
                ? new Plan(problem, stored.Value)
                : throw new MachineException(
                    $"cuBLASLt {CublasLt.LibraryVersion} does not take the algorithm that {choices.Source} has for {product}; measure it "
                        + "anew with `dataflow tune --again`, or take the file away"
                );
        }

        using var preference = product.Preference(Workspace);
        var candidates = library.Propose(problem, preference, 1);
        return candidates.Count > 0
            ? new Plan(problem, candidates[0].Algorithm)
            : throw new MachineException(
                $"cuBLASLt {CublasLt.LibraryVersion} has no repeatable algorithm for {problem}; run this model with --device cpu"
            );
    }

    private sealed record Plan(MatmulProblem Problem, MatmulAlgorithm Algorithm);
}
