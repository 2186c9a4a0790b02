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
            kernels.RmsNormForward(xs, wNorm, model.RmsNormEps, norm.RowRange(0, rows), rstd);
            completed.Tell(0);
            kernels.Gemm(norm.RowRange(0, rows), Transpose.No, w, Transpose.Yes, logits.RowRange(0, rows), null);
            completed.Tell(1);
            kernels.CrossEntropy(
                logits.RowRange(0, rows),
                targets + Words(first),
                dLogits.RowRange(0, rows),
                at.Pointer(TensorName.Loss),
                later,
                at.Pointer(TensorName.Partials)
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
            kernels.Gemm(dLogits.RowRange(0, rows), Transpose.No, w, Transpose.No, dNorm.RowRange(0, rows), null);
            completed.Tell(3);
            kernels.Gemm(dLogits.RowRange(0, rows), Transpose.Yes, norm.RowRange(0, rows), Transpose.No, dw, accumulate ? dw : null);
            completed.Tell(4);
            kernels.RmsNormBackward(
                dNorm.RowRange(0, rows),
                xs,
                rstd,
                wNorm,
                dx.RowRange(first, rows),
                null,
                dwNorm,
                accumulateNorm,
                at.Pointer(TensorName.Partials)
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
