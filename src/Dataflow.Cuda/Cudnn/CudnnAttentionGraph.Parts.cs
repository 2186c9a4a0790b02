using Dataflow.Model;
using static Dataflow.Cuda.CudnnPointwiseMode;

namespace Dataflow.Cuda;

/// <content>What forward and backward have in common.</content>
public static partial class CudnnAttentionGraph
{
    private sealed class Parts
    {
        private CudnnTensor? scale;

        public Parts(CudnnAttention call)
        {
            Call = call;
            if (call.Documents is { } documents)
            {
                QueryLength = Lengths(CudnnOperand.QueryLength, documents);
                KeyLength = Lengths(CudnnOperand.KeyLength, documents);
                QueryOffsets = Lengths(CudnnOperand.QueryOffsets, documents + 1);
                KeyOffsets = Lengths(CudnnOperand.KeyOffsets, documents + 1);
            }
        }

        public CudnnAttention Call { get; }

        public CudnnGraphBuilder Graph { get; } = new();

        public CudnnTensor? QueryLength { get; }

        public CudnnTensor? KeyLength { get; }

        public CudnnTensor? QueryOffsets { get; }

        public CudnnTensor? KeyOffsets { get; }

        public CudnnTensor? Softcap { get; private set; }

        public CudnnShape ScoreShape => CudnnShape.Dense(Call.Batch, Call.Heads, Call.Queries, Call.Keys);

        public CudnnShape RowShape => CudnnShape.Dense(Call.Batch, Call.Heads, Call.Queries, 1);

        public CudnnShape DenseQueryShape => CudnnShape.Dense(Call.Batch, Call.Heads, Call.Queries, Call.HeadDim);

        public CudnnShape KeyShape =>
            CudnnShape.TokenMajor(Call.Batch, Call.KvHeads, Call.Keys, Call.HeadDim, Call.KeyRowElements);

        public CudnnTensor Score() => Graph.Virtual(CudnnDataType.Float, ScoreShape);

        public CudnnTensor Row() => Graph.Virtual(CudnnDataType.Float, RowShape);

        public CudnnTensor ScoreByKey() =>
            Graph.Virtual(CudnnDataType.BFloat16, ScoreShape.Transposed());

        public CudnnTensor QueryLike(CudnnOperand operand, CudnnDataType type = CudnnDataType.BFloat16) =>
            Graph.Memory(
                operand,
                type,
                CudnnShape.TokenMajor(Call.Batch, Call.Heads, Call.Queries, Call.HeadDim, Call.QueryRowElements),
                QueryOffsets
            );

        public CudnnTensor SinkLike(CudnnOperand operand) =>
            Graph.Memory(operand, CudnnDataType.Float, CudnnShape.Dense(1, Call.Heads, 1, 1));

        public CudnnTensor Float(CudnnPointwiseMode mode, CudnnTensor x, CudnnTensor? b, CudnnTensor y) =>
            Graph.Pointwise(mode, CudnnDataType.Float, x, b, y);

        public CudnnTensor Scaled(CudnnTensor scores)
        {
            scale ??= Graph.Number(
                CudnnOperand.Scale, CudnnDataType.Float, (float)(Call.Scale ?? (1 / Math.Sqrt(Call.HeadDim))));
            return Float(Multiply, scores, scale, Score());
        }

        /// <summary>c tanh(s / c), and s / c for the backward; without a softcap s itself.</summary>
        public (CudnnTensor Scores, CudnnTensor? Within) Capped(CudnnTensor scores)
        {
            if (Call.Softcap is not { } cap)
            {
                return (scores, null);
            }

            Softcap = Graph.Number(CudnnOperand.Softcap, CudnnDataType.Float, (float)cap);
            var within = Float(Divide, scores, Softcap, Score());
            return (Float(Multiply, Float(Tanh, within, null, Score()), Softcap, Score()), within);
        }

        public CudnnTensor Masked(CudnnTensor scores) => Banded(Padded(scores));

        /// <summary>Minus infinity beyond a document's queries and keys.</summary>
        public CudnnTensor Padded(CudnnTensor scores)
        {
            if (Call.Documents is null)
            {
                return scores;
            }

            var row = Place(2, CudnnDataType.Int32, scores);
            var column = Place(3, CudnnDataType.Int32, scores);
            var rowWithin = Compare(Less, row, QueryLength!.Value);
            var columnWithin = Compare(Less, column, KeyLength!.Value);
            var within = Compare(And, rowWithin, columnWithin);
            return Fill(CudnnOperand.PaddingFill, scores, within);
        }

        /// <summary>Minus infinity after a query's own key and before its window.</summary>
        public CudnnTensor Banded(CudnnTensor scores)
        {
            if (Call.Causal)
            {
                var row = Place(2, CudnnDataType.Float, scores);
                var column = Place(3, CudnnDataType.Float, scores);
                row = Whole(Subtract, Whole(Add, row, LengthOfKeys()), LengthOfQueries());
                scores = Fill(CudnnOperand.CausalFill, scores, Compare(GreaterOrEqual, row, column));
            }

            if (Call.Window is { } window)
            {
                var row = Place(2, CudnnDataType.Float, scores);
                var column = Place(3, CudnnDataType.Float, scores);
                scores = Fill(CudnnOperand.WindowFill, scores, Compare(Greater, Reach(column, window), row));
            }

            return scores;
        }

        /// <summary>The gradient of keys or values: by query head, then added up over a group's.</summary>
        public void KeyGradient(CudnnTensor byKey, CudnnTensor rows, CudnnOperand operand)
        {
            var gradient = Call.GroupHeads == 1
                ? Graph.Memory(operand, CudnnDataType.BFloat16, KeyShape, KeyOffsets)
                : Graph.Virtual(CudnnDataType.BFloat16, CudnnShape.Dense(Call.Batch, Call.Heads, Call.Keys, Call.HeadDim));
            _ = Graph.Matmul(byKey, rows, gradient, KeyLength, null, QueryLength);
            if (Call.GroupHeads > 1)
            {
                _ = Graph.Reduce(
                    CudnnReductionOperator.Add, gradient, Graph.Memory(operand, CudnnDataType.BFloat16, KeyShape, KeyOffsets));
            }
        }

        /// <summary>The gradient of queries: written as it is rounded, or added up in fp32 first.</summary>
        public void QueryGradient(CudnnTensor gradScores, CudnnTensor key, CudnnForm form)
        {
            bool ordered = form == CudnnForm.BackwardOrdered, wide = Call.GradQueryType == DType.Float32;
            var product =
                ordered && !wide
                    ? Graph.Memory(CudnnOperand.GradQuerySums, CudnnDataType.Float, DenseQueryShape)
                    : QueryLike(CudnnOperand.GradQuery, wide ? CudnnDataType.Float : CudnnDataType.BFloat16);
            _ = Graph.Matmul(gradScores, key, product, QueryLength, null, KeyLength);
            if (ordered && !wide)
            {
                _ = Float(Identity, product, null, QueryLike(CudnnOperand.GradQuery));
            }
        }

        private CudnnTensor LengthOfQueries() => QueryLength ?? Graph.Number(CudnnOperand.QueryLength, CudnnDataType.Int32, Call.Queries);

        private CudnnTensor LengthOfKeys() => KeyLength ?? Graph.Number(CudnnOperand.KeyLength, CudnnDataType.Int32, Call.Keys);

        // Of fixed lengths one number says the window and how far queries are from the first key; a document's lengths are on the device.
        private CudnnTensor Reach(CudnnTensor column, int window)
        {
            if (Call.Documents is null)
            {
                var reach = Graph.Number(CudnnOperand.Window, CudnnDataType.Float, (double)window - Call.Keys + Call.Queries);
                return Float(Add, column, reach, Score());
            }

            var keys = Whole(Add, column, Graph.Number(CudnnOperand.Window, CudnnDataType.Int32, window));
            return Whole(Add, Whole(Subtract, keys, LengthOfKeys()), LengthOfQueries());
        }

        private CudnnTensor Place(int axis, CudnnDataType compute, CudnnTensor scores) =>
            Graph.Index(axis, compute, scores, Graph.Virtual(CudnnDataType.Int32, ScoreShape));

        private CudnnTensor Whole(CudnnPointwiseMode mode, CudnnTensor x, CudnnTensor b) =>
            Graph.Pointwise(mode, CudnnDataType.Int32, x, b, Graph.Virtual(CudnnDataType.Int32, ScoreShape));

        private CudnnTensor Compare(CudnnPointwiseMode mode, CudnnTensor x, CudnnTensor b) =>
            Graph.Pointwise(mode, CudnnDataType.Boolean, x, b, Graph.Virtual(CudnnDataType.Boolean, ScoreShape));

        // Each mask has a number of its own to fill with: one for two of them makes the library choose other code.
        private CudnnTensor Fill(CudnnOperand operand, CudnnTensor scores, CudnnTensor keep) =>
            Graph.Select(scores, Graph.Number(operand, CudnnDataType.Float, double.NegativeInfinity), keep, Score());

        private CudnnTensor Lengths(CudnnOperand operand, int count) =>
            Graph.Memory(operand, CudnnDataType.Int32, CudnnShape.Dense(count, 1, 1, 1));
    }
}
