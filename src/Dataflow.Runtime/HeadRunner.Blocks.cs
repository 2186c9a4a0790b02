using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>A block of the vocabulary in the head of one chunk: first the loss over all blocks, then back.</summary>
internal static partial class HeadRunner
{
    /// <summary>Logits of the block into the statistics of their rows; the chunk's loss where the op has one to write.</summary>
    public static void RunLoss(
        IKernels kernels,
        ModelConfig model,
        Geometry geometry,
        int firstId,
        in OpOperands at,
        in CompletedCalls completed
    )
    {
        int tokens = geometry.ChunkTokens;
        nuint targets = at.Pointer(TensorName.Targets);
        nuint statistics = at.Pointer(TensorName.LogitStatistics);
        bool fold = !at.Overwrites(Roles.LogitStatistics);
        for (int first = 0; first < tokens; first += geometry.HeadTokens)
        {
            int rows = Math.Min(geometry.HeadTokens, tokens - first);
            var logits = BlockLogits(kernels, model, first, rows, at, completed);
            kernels.CrossEntropyStatistics(
                new()
                {
                    Logits = logits,
                    Targets = targets + Words(first),
                    FirstId = firstId,
                    Statistics = statistics + Words(first),
                    Stride = tokens,
                    Fold = fold,
                }
            );
            completed.Tell(2);
        }

        if (at.Has(Roles.Loss))
        {
            kernels.CrossEntropyLoss(
                new()
                {
                    Targets = targets,
                    Rows = tokens,
                    Statistics = statistics,
                    Stride = tokens,
                    Loss = at.Pointer(TensorName.Loss),
                }
            );
            completed.Tell(3);
        }
    }

    /// <summary>
    /// The block's gradient and its share of the normed input's; where the op has the stream's gradient to write, that is complete.
    /// </summary>
    public static void RunBackward(
        IKernels kernels,
        ModelConfig model,
        Geometry geometry,
        int firstId,
        in OpOperands at,
        in CompletedCalls completed
    )
    {
        int tokens = geometry.ChunkTokens;
        var matrix = model.HeadMatrix;
        nuint targets = at.Pointer(TensorName.Targets);
        nuint statistics = at.Pointer(TensorName.LogitStatistics);
        var (x, norm, dLogits, dNorm) = (
            at.Tensor(TensorName.Input),
            at.Tensor(TensorName.HeadNorm),
            at.Tensor(TensorName.GradLogits),
            at.Tensor(TensorName.GradHeadSum)
        );
        var (w, dw, wNorm) = (at.Tensor(Operand.W(matrix)), at.Tensor(Operand.G(matrix)), at.Tensor(Operand.W(WeightName.FinalNorm)));
        bool addNorm = !at.Overwrites(Roles.GradHead);
        for (int first = 0; first < tokens; first += geometry.HeadTokens)
        {
            int rows = Math.Min(geometry.HeadTokens, tokens - first);
            var logits = BlockLogits(kernels, model, first, rows, at, completed);
            var (dl, dn) = (dLogits.RowRange(0, rows), dNorm.RowRange(first, rows));
            kernels.CrossEntropyGradient(
                new()
                {
                    Logits = logits,
                    Targets = targets + Words(first),
                    FirstId = firstId,
                    Statistics = statistics + Words(first),
                    Stride = tokens,
                    GradLogits = dl,
                }
            );
            completed.Tell(2);
            kernels.Gemm(
                new()
                {
                    A = dl,
                    TransposeA = Transpose.No,
                    B = w,
                    TransposeB = Transpose.No,
                    C = dn,
                    Addend = addNorm ? dn : null,
                }
            );
            completed.Tell(3);
            kernels.Gemm(
                new()
                {
                    A = dl,
                    TransposeA = Transpose.Yes,
                    B = norm.RowRange(0, rows),
                    TransposeB = Transpose.No,
                    C = dw,
                    Addend = first > 0 || !at.Overwrites(Roles.HeadBlockGradients) ? dw : null,
                }
            );
            completed.Tell(4);
            if (at.Has(Roles.GradStream))
            {
                kernels.RmsNormBackward(
                    new()
                    {
                        GradY = dn,
                        X = x.RowRange(first, rows),
                        Rstd = at.Pointer(TensorName.HeadRstd),
                        Weight = wNorm,
                        GradX = at.Tensor(TensorName.GradStream).RowRange(first, rows),
                        Addend = null,
                        GradWeight = at.Tensor(Operand.G(WeightName.FinalNorm)),
                        Accumulate = first > 0 || !at.Overwrites(Roles.Gradients),
                        Workspace = at.Pointer(TensorName.Partials),
                    }
                );
                completed.Tell(5);
            }
        }
    }

    private static nuint Words(int count) => (nuint)count * sizeof(int);

    private static Tensor BlockLogits(
        IKernels kernels,
        ModelConfig model,
        int first,
        int rows,
        in OpOperands at,
        in CompletedCalls completed
    )
    {
        var norm = at.Tensor(TensorName.HeadNorm).RowRange(0, rows);
        var logits = at.Tensor(TensorName.Logits).RowRange(0, rows);
        kernels.RmsNormForward(
            new()
            {
                X = at.Tensor(TensorName.Input).RowRange(first, rows),
                Weight = at.Tensor(Operand.W(WeightName.FinalNorm)),
                Epsilon = model.RmsNormEps,
                Y = norm,
                Rstd = at.Pointer(TensorName.HeadRstd),
            }
        );
        completed.Tell(0);
        kernels.Gemm(
            new()
            {
                A = norm,
                TransposeA = Transpose.No,
                B = at.Tensor(Operand.W(model.HeadMatrix)),
                TransposeB = Transpose.Yes,
                C = logits,
                Addend = null,
            }
        );
        completed.Tell(1);
        return logits;
    }
}
