namespace Dataflow.Model;

/// <summary>Seed-OSS: biases of queries, keys and values, and apart from them of attention's output.</summary>
internal sealed class SeedOss : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "seed_oss";

    /// <inheritdoc/>
    public override string Architecture => "SeedOssForCausalLM";

    /// <inheritdoc/>
    public override int? HeadDim => 128;

    /// <inheritdoc/>
    public override int? KvHeads => 8;

    /// <inheritdoc/>
    public override int MaxPositions => 524288;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [.. Reads("attention_bias", "attention_out_bias", "mlp_bias"), ("residual_dropout", new KeyUse.Dropout())];

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            Biases = (fields.Bool("attention_bias", absent: true) ? Biases.Qkv : Biases.None)
                | (fields.Bool("attention_out_bias", absent: false) ? Biases.AttentionOut : Biases.None)
                | (fields.Bool("mlp_bias", absent: false) ? Biases.FeedForward : Biases.None),
        };
}
