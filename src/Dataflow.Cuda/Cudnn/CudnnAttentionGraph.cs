using System.Collections.Immutable;
using Dataflow.Model;
using static Dataflow.Cuda.CudnnPointwiseMode;

namespace Dataflow.Cuda;

/// <summary>
/// The graphs of attention in the pointwise form, which every release takes: scores, softcap, masks by comparing places, softmax by
/// reductions. The order of operations and operands is that of cuDNN's own frontend, since the library matches patterns. No graph here
/// has run on a GPU; those of the same form were planned without one.
/// </summary>
public static partial class CudnnAttentionGraph
{
    /// <summary>The graph of one call.</summary>
    /// <param name="answer">What cuDNN computes, by <see cref="CudnnRules.Answer"/>.</param>
    /// <param name="target">Release and GPU that were answered for.</param>
    public static CudnnGraph Build(CudnnAnswer.Offered answer, CudnnTarget target)
    {
        var parts = new Parts(answer.Call);
        if (answer.Form == CudnnForm.Forward)
        {
            Forward(parts);
        }
        else
        {
            Backward(parts, answer.Form);
        }

        return new CudnnGraph
        {
            Target = target,
            Answer = answer,
            Tensors = parts.Graph.Tensors,
            Scalars = parts.Graph.Scalars,
            Descriptors = parts.Graph.Finish(),
        };
    }

    private static void Forward(Parts parts)
    {
        var graph = parts.Graph;
        var query = parts.QueryLike(CudnnOperand.Query);
        var key = graph.Memory(CudnnOperand.Key, CudnnDataType.BFloat16, parts.KeyShape.Transposed(), parts.KeyOffsets);
        var products = graph.Matmul(
            query, key, parts.Score(), parts.QueryLength, parts.KeyLength, null, padded: parts.Call.Documents is not null);
        var scores = parts.Masked(parts.Capped(parts.Scaled(products)).Scores);

        var maxima = graph.Reduce(CudnnReductionOperator.Maximum, scores, parts.Row());
        CudnnTensor? sink = parts.Call.Sink ? parts.SinkLike(CudnnOperand.Sink) : null;
        if (sink is { } among)
        {
            maxima = parts.Float(Maximum, maxima, among, parts.Row());
        }

        var exponentials = parts.Float(Exponential, parts.Float(Subtract, scores, maxima, parts.Score()), null, parts.Score());
        var totals = graph.Reduce(CudnnReductionOperator.Add, exponentials, parts.Row());
        if (sink is { } logit)
        {
            var share = parts.Float(Exponential, parts.Float(Subtract, logit, maxima, parts.Row()), null, parts.Row());
            totals = parts.Float(Add, totals, share, parts.Row());
        }

        var logarithms = parts.Float(Logarithm, totals, null, parts.Row());
        _ = parts.Float(Add, maxima, logarithms, graph.Memory(CudnnOperand.LogSumExp, CudnnDataType.Float, parts.RowShape));
        var shares = parts.Float(Divide, exponentials, totals, graph.Virtual(CudnnDataType.BFloat16, parts.ScoreShape));
        var value = graph.Memory(CudnnOperand.Value, CudnnDataType.BFloat16, parts.KeyShape, parts.KeyOffsets);
        _ = graph.Matmul(shares, value, parts.QueryLike(CudnnOperand.Output), parts.QueryLength, null, parts.KeyLength);
    }

    private static void Backward(Parts parts, CudnnForm form)
    {
        var graph = parts.Graph;
        var gradOutput = parts.QueryLike(CudnnOperand.GradOutput);
        var output = parts.QueryLike(CudnnOperand.Output);
        var gradients = parts.Float(Multiply, gradOutput, output, graph.Virtual(CudnnDataType.Float, parts.DenseQueryShape));
        var sums = graph.Reduce(CudnnReductionOperator.Add, gradients, parts.Row());

        // Without the product by 1 the library would keep all scores in memory.
        var one = graph.Number(CudnnOperand.One, CudnnDataType.Float, 1);
        var rowProducts = parts.Float(
            Multiply, sums, one, graph.Memory(CudnnOperand.RowProducts, CudnnDataType.Float, parts.RowShape));

        var query = parts.QueryLike(CudnnOperand.Query);
        var key = graph.Memory(CudnnOperand.Key, CudnnDataType.BFloat16, parts.KeyShape.Transposed(), parts.KeyOffsets);
        var products = graph.Matmul(query, key, parts.Score(), parts.QueryLength, parts.KeyLength, null);
        var (capped, within) = parts.Capped(parts.Scaled(products));
        var logSumExp = graph.Memory(CudnnOperand.LogSumExp, CudnnDataType.Float, parts.RowShape);
        var shifted = parts.Float(Subtract, parts.Padded(capped), logSumExp, parts.Score());
        var shares = parts.Float(Exponential, parts.Banded(shifted), null, parts.Score());
        if (parts.Call.Sink)
        {
            var share = parts.Float(
                Exponential, parts.Float(Subtract, parts.SinkLike(CudnnOperand.Sink), logSumExp, parts.Row()), null, parts.Row());
            var weighted = parts.Float(Multiply, share, sums, parts.Row());
            _ = graph.Reduce(CudnnReductionOperator.Add, weighted, parts.SinkLike(CudnnOperand.GradSink));
        }

        var sharesByKey = graph.Reshape(shares, parts.ScoreByKey());
        parts.KeyGradient(sharesByKey, gradOutput, CudnnOperand.GradValue);

        var value = graph.Memory(CudnnOperand.Value, CudnnDataType.BFloat16, parts.KeyShape.Transposed(), parts.KeyOffsets);
        var gradShares = graph.Matmul(gradOutput, value, parts.Score(), parts.QueryLength, parts.KeyLength, null);
        var gradScores = parts.Float(
            Multiply, parts.Float(Subtract, gradShares, rowProducts, parts.Score()), shares, parts.Score());
        if (within is { } tanhOf)
        {
            var cap = parts.Softcap!.Value;
            var gradTanh = parts.Float(Multiply, gradScores, cap, parts.Score());
            gradScores = parts.Float(Divide, graph.TanhBackward(tanhOf, gradTanh, parts.Score()), cap, parts.Score());
        }

        gradScores = parts.Scaled(gradScores);
        parts.KeyGradient(graph.Reshape(gradScores, parts.ScoreByKey()), query, CudnnOperand.GradKey);
        var keyByToken = graph.Reshape(key, graph.Virtual(CudnnDataType.BFloat16, parts.KeyShape, parts.KeyOffsets));
        parts.QueryGradient(gradScores, keyByToken, form);
    }
}
