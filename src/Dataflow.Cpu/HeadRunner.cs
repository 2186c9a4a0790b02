using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu;

/// <summary>The head of one chunk, sub-chunk by sub-chunk, so that no tokens x vocabulary matrix exists.</summary>
internal static unsafe partial class HeadRunner
{
    public static void Run(ThreadTeam team, ModelConfig model, Geometry geometry, float scale, BlockProgram program, in OpOperands at)
    {
        var matrix = model.HeadMatrix;
        var x = at.Matrix(TensorName.Input);
        var (norm, logits, dLogits, dNorm) = (at.Matrix(TensorName.HeadNorm), at.Matrix(TensorName.Logits), at.Matrix(TensorName.GradLogits), at.Matrix(TensorName.GradHeadNorm));
        var (w, wNorm) = (at.Matrix(Operand.W(matrix)), at.Matrix(Operand.W(WeightName.FinalNorm)));
        var rstd = (float*)at.Pointer(TensorName.HeadRstd);
        int* targets = (int*)at.Pointer(TensorName.Targets);
        for (int first = 0; first < geometry.ChunkTokens; first += geometry.HeadTokens)
        {
            int rows = Math.Min(geometry.HeadTokens, geometry.ChunkTokens - first);
            bool later = first > 0;
            var xs = x.RowRange(first, rows);
            RmsNorm.Forward(team, xs, wNorm, model.RmsNormEps, norm.RowRange(0, rows), rstd);
            Gemm.Run(team, norm.RowRange(0, rows), Transpose.No, w, Transpose.Yes, logits.RowRange(0, rows), null);
            CrossEntropy.Run(team, logits.RowRange(0, rows), targets + first, scale, dLogits.RowRange(0, rows), (float*)at.Pointer(TensorName.Loss), later);
            if (!at.Has(Roles.Gradients))
            {
                // An evaluation wants the loss alone.
                continue;
            }

            var (dx, dw, dwNorm) = (at.Matrix(TensorName.GradStream), at.Matrix(Operand.G(matrix)), at.Matrix(Operand.G(WeightName.FinalNorm)));
            bool accumulate = later || !at.Overwrites(at.Role(Operand.G(matrix)));
            bool accumulateNorm = later || !at.Overwrites(Roles.Gradients);
            Gemm.Run(team, dLogits.RowRange(0, rows), Transpose.No, w, Transpose.No, dNorm.RowRange(0, rows), null);
            Gemm.Run(team, dLogits.RowRange(0, rows), Transpose.Yes, norm.RowRange(0, rows), Transpose.No, dw, accumulate ? dw : null);
            RmsNorm.Backward(team, dNorm.RowRange(0, rows), xs, rstd, wNorm, dx.RowRange(first, rows), null, dwNorm, accumulateNorm);
        }
    }
}
