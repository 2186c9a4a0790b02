namespace Dataflow.Model;

/// <content>Those of latent attention.</content>
internal sealed partial class DecoderParameters
{
    private IEnumerable<ParameterSpec> Latent(LatentAttention of)
    {
        var (d, heads) = (model.ModelDim, model.HeadCount);
        var queries = RowOrder.OfHeadsTurnedLast(heads, of.PlainDim, of.RotatedDim, model.RotatesNeighbours);
        var turned = RowOrder.OfHeads(1, of.RotatedDim, of.RotatedDim, model.RotatesNeighbours);
        ParameterSpec Matrix(WeightName name, int columns, string called, int rows, RowOrder? order = null) =>
            ParameterSpec.Matrix(
                name, columns, Initial(model, InitialValues.FanIn(columns)), new NamedRows(names.Layer + called + Weight, rows, order));
        ParameterSpec Norm(WeightName name, string called, int width) =>
            ParameterSpec.Vector(name, InitialValues.One, (names.Layer + called + Weight, width));
        var latents = RowOrder.Joined((null, of.KvRank), (turned, of.RotatedDim));
        ParameterSpec[] BiasOf(WeightName name, string called, int rows, RowOrder? order = null) =>
            model.Biases.HasFlag(Biases.Qkv)
                ? [ParameterSpec.Vector(name, InitialValues.Zero, new NamedRows(names.Layer + called + Bias, rows, order))]
                : [];
        return
        [
            .. Before(),
            .. of.QueryRank is { } rank
                ?
                [
                    Matrix(WeightName.QueryLatent, d, names.QueryLatent, rank),
                    .. BiasOf(WeightName.QueryLatentBias, names.QueryLatent, rank),
                    Norm(WeightName.QueryLatentNorm, names.QueryLatentNorm, rank),
                    Matrix(WeightName.QueryUp, rank, names.QueryUp, heads * of.KeyDim, queries),
                ]
                : new[] { Matrix(WeightName.QueryUp, d, names.Query, heads * of.KeyDim, queries) },
            Matrix(WeightName.KvLatent, d, names.KvLatent, of.KvRank + of.RotatedDim, latents),
            .. BiasOf(WeightName.KvLatentBias, names.KvLatent, of.KvRank + of.RotatedDim, latents),
            Norm(WeightName.KvLatentNorm, names.KvLatentNorm, of.KvRank),
            Matrix(WeightName.KvUp, of.KvRank, names.KvUp, heads * of.UpDim),
            .. AttentionOut(),
            .. After(),
        ];
    }
}
