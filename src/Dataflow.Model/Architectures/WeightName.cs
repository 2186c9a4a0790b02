namespace Dataflow.Model;

/// <summary>
/// The weight matrices and vectors of networks, each one tensor of a parameter object. New ones come last: a name's number is part of the
/// seed of its initial values.
/// </summary>
public enum WeightName
{
    /// <summary>[vocabulary, D]; tied heads share it.</summary>
    EmbeddingTable,

    /// <summary>[D], before attention.</summary>
    AttentionNorm,

    /// <summary>[(n_heads + 2 n_kv_heads) x head_dim, D]: Q, K and V.</summary>
    Qkv,

    /// <summary>[head_dim], of each query head; only in models with QK-norm.</summary>
    QNorm,

    /// <summary>[head_dim], of each key head; only in models with QK-norm.</summary>
    KNorm,

    /// <summary>[D, n_heads x head_dim], or of the width of values where these are narrower.</summary>
    AttentionOut,

    /// <summary>[D], before the feed-forward network.</summary>
    FfnNorm,

    /// <summary>[2 F, D]: gate, then up.</summary>
    GateUp,

    /// <summary>[D, F].</summary>
    Down,

    /// <summary>[D], before the head.</summary>
    FinalNorm,

    /// <summary>[vocabulary, D]; only in models whose head is not tied to the embedding.</summary>
    HeadMatrix,

    /// <summary>[(n_heads + 2 n_kv_heads) x head_dim].</summary>
    QkvBias,

    /// <summary>[D].</summary>
    AttentionOutBias,

    /// <summary>[2 F]: gate, then up; [F] without a gate.</summary>
    GateUpBias,

    /// <summary>[D].</summary>
    DownBias,

    /// <summary>[D], of a norm after attention.</summary>
    AttentionPostNorm,

    /// <summary>[D], of a norm after the feed-forward.</summary>
    FfnPostNorm,

    /// <summary>[D], of the norm before attention.</summary>
    AttentionNormBias,

    /// <summary>[D], of the norm before the feed-forward.</summary>
    FfnNormBias,

    /// <summary>[D], of the final norm.</summary>
    FinalNormBias,

    /// <summary>[vocabulary].</summary>
    HeadBias,

    /// <summary>[positions, D], where positions are learned.</summary>
    PositionTable,

    /// <summary>[3 D, D], what a gated convolution is of: b, c, h.</summary>
    ConvolutionIn,

    /// <summary>[D, K], or [channels, K] of a recurrence: the taps of each column's convolution.</summary>
    ConvolutionTaps,

    /// <summary>[D, D], of its result.</summary>
    ConvolutionOut,

    /// <summary>[ranks, D], of adapters of Q, K and V, those that there are; the first of the names of adapters.</summary>
    QkvA,

    /// <summary>[n_heads x head_dim, rank]; where a checkpoint has Q, K and V in one matrix, of all its rows.</summary>
    QueryB,

    /// <summary>[n_kv_heads x head_dim, rank].</summary>
    KeyB,

    /// <summary>[n_kv_heads x head_dim, rank].</summary>
    ValueB,

    /// <summary>[rank, n_heads x head_dim].</summary>
    AttentionOutA,

    /// <summary>[D, rank].</summary>
    AttentionOutB,

    /// <summary>[ranks, D], of gate and up.</summary>
    GateUpA,

    /// <summary>[F, rank]; where a checkpoint has gate and up in one matrix, of all its rows.</summary>
    GateB,

    /// <summary>[F, rank].</summary>
    UpB,

    /// <summary>[rank, F].</summary>
    DownA,

    /// <summary>[D, rank].</summary>
    DownB,

    /// <summary>[rank, D].</summary>
    HeadA,

    /// <summary>[vocabulary, rank].</summary>
    HeadB,

    /// <summary>[vocabulary, rank]: checkpoints have it the other way round.</summary>
    EmbeddingA,

    /// <summary>[D, rank].</summary>
    EmbeddingB,

    /// <summary>[n_heads x head_dim], lengths of rows (DoRA); where a checkpoint has Q, K and V in one matrix, of all its rows.</summary>
    QueryMagnitude,

    /// <summary>[n_kv_heads x head_dim].</summary>
    KeyMagnitude,

    /// <summary>[n_kv_heads x head_dim].</summary>
    ValueMagnitude,

    /// <summary>[D].</summary>
    AttentionOutMagnitude,

    /// <summary>[F], or of all rows where a checkpoint has gate and up in one matrix.</summary>
    GateMagnitude,

    /// <summary>[F].</summary>
    UpMagnitude,

    /// <summary>[D]; the last of the names of adapters.</summary>
    DownMagnitude,

    /// <summary>[E, D], a row for each expert, and one for the gate of the shared expert where it has one.</summary>
    Router,

    /// <summary>[E x 2 F, D]: gate, then up, of one expert after the other.</summary>
    ExpertGateUp,

    /// <summary>[E x D, F], likewise.</summary>
    ExpertDown,

    /// <summary>[E] fp32, added to scores where experts are chosen, and nowhere else: it has no gradient.</summary>
    RouterCorrection,

    /// <summary>[channels + value width + gates, D], what a recurrence is of.</summary>
    RecurrenceIn,

    /// <summary>[heads], the logarithm of the rate at which a state decays.</summary>
    Decay,

    /// <summary>[heads], added to what says how far a token's step goes.</summary>
    StepBias,

    /// <summary>[value width of a head, or of all], of the norm of a recurrence's result.</summary>
    RecurrenceNorm,

    /// <summary>[D, value width], of its result.</summary>
    RecurrenceOut,

    /// <summary>[channels + value width + gates].</summary>
    RecurrenceInBias,

    /// <summary>[D].</summary>
    RecurrenceOutBias,

    /// <summary>[channels], of a recurrence's convolution.</summary>
    ConvolutionBias,

    /// <summary>[heads], by which values are added to what a state space reads.</summary>
    Skip,

    /// <summary>[query rank, D], what queries of latent attention are of, where it is not the input itself.</summary>
    QueryLatent,

    /// <summary>[query rank], of its norm.</summary>
    QueryLatentNorm,

    /// <summary>[n_heads x head_dim, query rank], or of D columns where the input itself is what queries are of.</summary>
    QueryUp,

    /// <summary>[rank + rotated, D], what keys and values of latent attention are of, and the part of all heads' keys that turns.</summary>
    KvLatent,

    /// <summary>[rank], of the norm of the former.</summary>
    KvLatentNorm,

    /// <summary>[n_heads x (plain + value), rank]: of each head the part of its key that does not turn, then its value.</summary>
    KvUp,

    /// <summary>[1], by which all that a layer leaves is multiplied; it has no gradient.</summary>
    LayerScalar,

    /// <summary>[ranks, D], of adapters of what a recurrence is of; the first of the names of adapters of such layers.</summary>
    RecurrenceInA,

    /// <summary>[rows, rank], of the first tensor that a checkpoint has of it: all, or queries, keys and values, or queries.</summary>
    RecurrenceInFirstB,

    /// <summary>[rows, rank], of the second; in the order of memory.</summary>
    RecurrenceInSecondB,

    /// <summary>[rows, rank], of the third.</summary>
    RecurrenceInThirdB,

    /// <summary>[rows, rank], of the fourth.</summary>
    RecurrenceInFourthB,

    /// <summary>[rows, rank], of the fifth.</summary>
    RecurrenceInFifthB,

    /// <summary>[rows, rank], of the sixth.</summary>
    RecurrenceInSixthB,

    /// <summary>[rank, value width].</summary>
    RecurrenceOutA,

    /// <summary>[D, rank].</summary>
    RecurrenceOutB,

    /// <summary>[rank, D].</summary>
    ConvolutionInA,

    /// <summary>[3 D, rank].</summary>
    ConvolutionInB,

    /// <summary>[rank, D].</summary>
    ConvolutionOutA,

    /// <summary>[D, rank]; the last of the names of adapters of such layers.</summary>
    ConvolutionOutB,

    /// <summary>[D], of the norm of what a router reads.</summary>
    RouterNorm,

    /// <summary>[E], by which the weights of an expert's rows are multiplied.</summary>
    ExpertScale,

    /// <summary>[D], of the norm before experts that stand beside the dense feed-forward.</summary>
    ExpertNorm,

    /// <summary>[D], of the norm after them.</summary>
    ExpertPostNorm,

    /// <summary>[D], of the norm after the dense feed-forward beside them.</summary>
    DensePostNorm,

    /// <summary>[n_heads], a logit of each head that joins the softmax of every token.</summary>
    AttentionSinks,

    /// <summary>[E], added to the router's logits.</summary>
    RouterBias,

    /// <summary>[E x 2 F], as the rows of the matrices.</summary>
    ExpertGateUpBias,

    /// <summary>[E x D], likewise.</summary>
    ExpertDownBias,

    /// <summary>[vocabulary, layers x P], what each layer takes of a token.</summary>
    LayerInputTable,

    /// <summary>[layers x P, D], of the embedding, which is added to that.</summary>
    LayerInputProjection,

    /// <summary>[P], of the norm of that product, which all layers share.</summary>
    LayerInputNorm,

    /// <summary>[P, D], of the gate that a layer's input goes through.</summary>
    InputGate,

    /// <summary>[D, P], of the result.</summary>
    InputOut,

    /// <summary>[D], of the norm of that product.</summary>
    InputPostNorm,

    /// <summary>[E x ranks, D], of adapters of experts' gate and up; the first of the names of adapters of experts.</summary>
    ExpertGateUpA,

    /// <summary>[E x F, rank]; where a checkpoint has gate and up in one tensor, of all their rows.</summary>
    ExpertGateB,

    /// <summary>[E x F, rank].</summary>
    ExpertUpB,

    /// <summary>[E x rank, F].</summary>
    ExpertDownA,

    /// <summary>[E x D, rank]; the last of them.</summary>
    ExpertDownB,

    /// <summary>[query rank].</summary>
    QueryLatentBias,

    /// <summary>[rank + rotated].</summary>
    KvLatentBias,
}

/// <summary>Facts about a <see cref="WeightName"/>.</summary>
public static class WeightNameFacts
{
    /// <summary>It is stored with the model and has no gradient: training leaves it as it is, and it counts as no parameter.</summary>
    public static bool IsBuffer(this WeightName name) => name is WeightName.RouterCorrection or WeightName.LayerScalar;

    /// <summary>It lies beside the embedding's table.</summary>
    public static bool IsBesideEmbedding(this WeightName name) =>
        name is WeightName.PositionTable or (>= WeightName.LayerInputTable and <= WeightName.LayerInputNorm);

    /// <summary>It is an adapter's, not the model's own.</summary>
    public static bool IsOfAdapter(this WeightName name) =>
        name is (>= WeightName.QkvA and <= WeightName.DownMagnitude)
            or (>= WeightName.RecurrenceInA and <= WeightName.ConvolutionOutB)
            or (>= WeightName.ExpertGateUpA and <= WeightName.ExpertDownB);
}
