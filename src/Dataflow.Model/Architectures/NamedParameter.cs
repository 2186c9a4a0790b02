using System.Globalization;

namespace Dataflow.Model;

/// <summary>What a parameter is for; several where it is part of a norm and added.</summary>
[Flags]
public enum ParameterClasses
{
    /// <summary>A matrix of a product.</summary>
    None = 0,

    /// <summary>Scale or shift of a norm.</summary>
    Norms = 1,

    /// <summary>Added to a product's result, or the shift of a norm.</summary>
    Biases = 2,

    /// <summary>A table of embeddings, which a tied head shares, or of positions.</summary>
    Embeddings = 4,
}

/// <summary>A tensor of a model's checkpoints.</summary>
/// <param name="Name">Hugging Face name, with the layer's number.</param>
/// <param name="Layer">Null for embedding and head.</param>
/// <param name="Spec">The parameter that it is, or is part of.</param>
/// <param name="Part">Its elements of that parameter.</param>
public sealed record NamedParameter(string Name, Layer? Layer, ParameterSpec Spec, WeightPart Part)
{
    /// <summary>What it is for.</summary>
    public ParameterClasses Classes => ClassesOf(Spec.Name);

    /// <summary>All tensors of a model: the embedding's, those of the layers from the input on, the head's.</summary>
    public static IEnumerable<NamedParameter> All(ModelConfig model)
    {
        var ofKind = model.Kinds.Distinct().ToDictionary(k => k, k => DecoderParameters.Of(model, k));
        return
        [
            .. DecoderVocabulary.Embeddings(model).SelectMany(p => Of(p, null)),
            .. model.Layers.SelectMany(l => ofKind[model.KindOf(l)].SelectMany(p => Of(p, l))),
            .. DecoderVocabulary.Head(model).SelectMany(p => Of(p, null)),
        ];
    }

    /// <summary>
    /// Names that some files hold besides: keys and values of layers that share those of others, which nothing is computed with.
    /// </summary>
    public static IEnumerable<string> Idle(ModelConfig model) =>
        from layer in model.SharesKv ? model.Layers : []
        where model.KindOf(layer).SharesKv
        from name in new[] { model.Names.Key, model.Names.Value, model.Names.KeyNorm }
        from ending in new[] { ".weight", ".bias" }
        select model.Names.Layer.Replace("{layer}", layer.Index.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            + name + ending;

    private static IEnumerable<NamedParameter> Of(ParameterSpec spec, Layer? layer) =>
        spec.Parts.Select(part => new NamedParameter(NameOf(part, layer), layer, spec, part));

    private static string NameOf(WeightPart part, Layer? layer) =>
        layer is { } l
            ? part.CheckpointName.Replace("{layer}", l.Index.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            : part.CheckpointName;

    private static ParameterClasses ClassesOf(WeightName name) =>
        name switch
        {
            WeightName.EmbeddingTable or WeightName.PositionTable => ParameterClasses.Embeddings,
            WeightName.AttentionNorm or WeightName.FfnNorm or WeightName.FinalNorm => ParameterClasses.Norms,
            WeightName.QNorm or WeightName.KNorm => ParameterClasses.Norms,
            WeightName.AttentionPostNorm or WeightName.FfnPostNorm => ParameterClasses.Norms,
            WeightName.AttentionNormBias or WeightName.FfnNormBias or WeightName.FinalNormBias => ParameterClasses.Norms
                | ParameterClasses.Biases,
            WeightName.QkvBias or WeightName.AttentionOutBias => ParameterClasses.Biases,
            WeightName.GateUpBias or WeightName.DownBias or WeightName.HeadBias => ParameterClasses.Biases,
            WeightName.Qkv or WeightName.AttentionOut => ParameterClasses.None,
            WeightName.GateUp or WeightName.Down or WeightName.HeadMatrix => ParameterClasses.None,
            WeightName.ConvolutionIn or WeightName.ConvolutionTaps or WeightName.ConvolutionOut => ParameterClasses.None,
            WeightName.RouterCorrection or WeightName.AttentionSinks => ParameterClasses.Biases,
            WeightName.RouterBias or WeightName.ExpertGateUpBias or WeightName.ExpertDownBias => ParameterClasses.Biases,
            WeightName.LayerInputTable => ParameterClasses.Embeddings,
            WeightName.LayerInputNorm or WeightName.InputPostNorm => ParameterClasses.Norms,
            WeightName.LayerInputProjection or WeightName.InputGate or WeightName.InputOut => ParameterClasses.None,
            WeightName.LayerScalar or WeightName.ExpertScale => ParameterClasses.None,
            WeightName.RouterNorm or WeightName.ExpertNorm => ParameterClasses.Norms,
            WeightName.ExpertPostNorm or WeightName.DensePostNorm => ParameterClasses.Norms,
            WeightName.Router or WeightName.ExpertGateUp or WeightName.ExpertDown => ParameterClasses.None,
            WeightName.RecurrenceIn or WeightName.RecurrenceOut or WeightName.Decay or WeightName.Skip => ParameterClasses.None,
            WeightName.RecurrenceInBias or WeightName.RecurrenceOutBias or WeightName.ConvolutionBias => ParameterClasses.Biases,
            WeightName.QueryLatent or WeightName.QueryUp or WeightName.KvLatent or WeightName.KvUp => ParameterClasses.None,
            WeightName.QueryLatentBias or WeightName.KvLatentBias => ParameterClasses.Biases,
            WeightName.QueryLatentNorm or WeightName.KvLatentNorm => ParameterClasses.Norms,
            WeightName.RecurrenceNorm => ParameterClasses.Norms,
            WeightName.StepBias => ParameterClasses.Biases,
            _ when name.IsOfAdapter() => ParameterClasses.None,
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, "of no class"),
        };
}
