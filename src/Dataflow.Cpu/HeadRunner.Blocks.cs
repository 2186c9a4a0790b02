using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu;

/// <summary>A block of the vocabulary in the head of one chunk: first the loss over all blocks, then back.</summary>
internal static unsafe partial class HeadRunner
{
    /// <summary>Logits of the block into the statistics of their rows; the chunk's loss where the op has one to write.</summary>
    public static void RunLoss(ThreadTeam team, ModelConfig model, Geometry geometry, int firstId, in OpOperands at)
    {
        int tokens = geometry.ChunkTokens;
        int* targets = (int*)at.Pointer(TensorName.Targets);
        float* statistics = (float*)at.Pointer(TensorName.LogitStatistics);
        bool fold = !at.Overwrites(Roles.LogitStatistics);
        for (int first = 0; first < tokens; first += geometry.HeadTokens)
        {
            int rows = Math.Min(geometry.HeadTokens, tokens - first);
            var logits = BlockLogits(team, model, first, rows, at);
            CrossEntropy.Statistics(team, logits, targets + first, firstId, statistics + first, tokens, fold);
        }

        if (at.Has(Roles.Loss))
        {
            CrossEntropy.Loss(team, targets, tokens, statistics, tokens, (float*)at.Pointer(TensorName.Loss));
        }
    }

    /// <summary>The block's gradient and its share of the normed input's; where the op has the stream's gradient to write, that is complete.</summary>
    public static void RunBackward(ThreadTeam team, ModelConfig model, Geometry geometry, int firstId, float scale, in OpOperands at)
    {
        int tokens = geometry.ChunkTokens;
        var matrix = model.HeadMatrix;
        int* targets = (int*)at.Pointer(TensorName.Targets);
        float* statistics = (float*)at.Pointer(TensorName.LogitStatistics);
        var (x, norm, dLogits, dNorm) = (at.Matrix(TensorName.Input), at.Matrix(TensorName.HeadNorm), at.Matrix(TensorName.GradLogits), at.Matrix(TensorName.GradHeadSum));
        var (w, dw, wNorm) = (at.Matrix(Operand.W(matrix)), at.Matrix(Operand.G(matrix)), at.Matrix(Operand.W(WeightName.FinalNorm)));
        bool addNorm = !at.Overwrites(Roles.GradHead);
        for (int first = 0; first < tokens; first += geometry.HeadTokens)
        {
            int rows = Math.Min(geometry.HeadTokens, tokens - first);
            var logits = BlockLogits(team, model, first, rows, at);
            var (dl, dn) = (dLogits.RowRange(0, rows), dNorm.RowRange(first, rows));
            CrossEntropy.Gradient(team, logits, targets + first, firstId, statistics + first, tokens, scale, dl);
            Gemm.Run(team, dl, Transpose.No, w, Transpose.No, dn, addNorm ? dn : null);
            Gemm.Run(team, dl, Transpose.Yes, norm.RowRange(0, rows), Transpose.No, dw, first > 0 || !at.Overwrites(Roles.HeadBlockGradients) ? dw : null);
            if (at.Has(Roles.GradStream))
            {
                RmsNorm.Backward(team, dn, x.RowRange(first, rows), (float*)at.Pointer(TensorName.HeadRstd), wNorm, at.Matrix(TensorName.GradStream).RowRange(first, rows),
                    null, at.Matrix(Operand.G(WeightName.FinalNorm)), first > 0 || !at.Overwrites(Roles.Gradients));
            }
        }
    }

    private static Matrix BlockLogits(ThreadTeam team, ModelConfig model, int first, int rows, in OpOperands at)
    {
        var norm = at.Matrix(TensorName.HeadNorm).RowRange(0, rows);
        var logits = at.Matrix(TensorName.Logits).RowRange(0, rows);
        RmsNorm.Forward(team, at.Matrix(TensorName.Input).RowRange(first, rows), at.Matrix(Operand.W(WeightName.FinalNorm)), model.RmsNormEps, norm, (float*)at.Pointer(TensorName.HeadRstd));
        Gemm.Run(team, norm, Transpose.No, at.Matrix(Operand.W(model.HeadMatrix)), Transpose.Yes, logits, null);
        return logits;
    }
}
