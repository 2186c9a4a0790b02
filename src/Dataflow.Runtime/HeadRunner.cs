using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>The head of one chunk, sub-chunk by sub-chunk, so that no tokens x vocabulary matrix exists.</summary>
internal static partial class HeadRunner
{
    public static void Run(IKernels kernels, ModelConfig model, Geometry geometry, in OpOperands at, in CompletedCalls completed)
    {
        var matrix = model.HeadMatrix;
        var x = at.Tensor(TensorName.Input);
        var (norm, logits, dLogits, dNorm) = (
            at.Tensor(TensorName.HeadNorm),
            at.Tensor(TensorName.Logits),
            at.Tensor(TensorName.GradLogits),
            at.Tensor(TensorName.GradHeadNorm)
        );
        var (w, wNorm) = (at.Tensor(Operand.W(matrix)), at.Tensor(Operand.W(WeightName.FinalNorm)));
        var rstd = at.Pointer(TensorName.HeadRstd);
        var targets = at.Pointer(TensorName.Targets);
        for (int first = 0; first < geometry.ChunkTokens; first += geometry.HeadTokens)
        {
            int rows = Math.Min(geometry.HeadTokens, geometry.ChunkTokens - first);
            bool later = first > 0;
            var xs = x.RowRange(first, rows);
            var normed = norm.RowRange(0, rows);
            kernels.RmsNormForward(
                new()
                {
                    X = xs,
                    Weight = wNorm,
                    Epsilon = model.RmsNormEps,
                    Y = normed,
                    Rstd = rstd,
                }
            );
            completed.Tell(0);
            kernels.Gemm(
                new()
                {
                    A = normed,
                    TransposeA = Transpose.No,
                    B = w,
                    TransposeB = Transpose.Yes,
                    C = logits.RowRange(0, rows),
                    Addend = null,
                }
            );
            completed.Tell(1);
            kernels.CrossEntropy(
                new()
                {
                    Logits = logits.RowRange(0, rows),
                    Targets = targets + Words(first),
                    GradLogits = dLogits.RowRange(0, rows),
                    Loss = at.Pointer(TensorName.Loss),
                    Accumulate = later,
                    Workspace = at.Pointer(TensorName.Partials),
                }
            );
            completed.Tell(2);
            if (!at.Has(Roles.Gradients))
            {
                // An evaluation wants the loss alone.
                continue;
            }

            var (dx, dw, dwNorm) = (
                at.Tensor(TensorName.GradStream),
                at.Tensor(Operand.G(matrix)),
                at.Tensor(Operand.G(WeightName.FinalNorm))
            );
            bool accumulate = later || !at.Overwrites(at.Role(Operand.G(matrix)));
            bool accumulateNorm = later || !at.Overwrites(Roles.Gradients);
            kernels.Gemm(
                new()
                {
                    A = dLogits.RowRange(0, rows),
                    TransposeA = Transpose.No,
                    B = w,
                    TransposeB = Transpose.No,
                    C = dNorm.RowRange(0, rows),
                    Addend = null,
                }
            );
            completed.Tell(3);
            kernels.Gemm(
                new()
                {
                    A = dLogits.RowRange(0, rows),
                    TransposeA = Transpose.Yes,
                    B = normed,
                    TransposeB = Transpose.No,
                    C = dw,
                    Addend = accumulate ? dw : null,
                }
            );
            completed.Tell(4);
            kernels.RmsNormBackward(
                new()
                {
                    GradY = dNorm.RowRange(0, rows),
                    X = xs,
                    Rstd = rstd,
                    Weight = wNorm,
                    GradX = dx.RowRange(first, rows),
                    Addend = null,
                    GradWeight = dwNorm,
                    Accumulate = accumulateNorm,
                    Workspace = at.Pointer(TensorName.Partials),
                }
            );
            completed.Tell(5);
        }
    }
}

/// <summary>Tells whoever wants to know that a call of the head's program has been made, once for each sub-chunk.</summary>
internal readonly struct CompletedCalls(
    Action<ScheduledOp, KernelCall, OpOperands>? listener,
    ScheduledOp op,
    BlockProgram program,
    OpOperands at
)
{
    public void Tell(int call) => listener?.Invoke(op, program.Calls[call], at);
}
