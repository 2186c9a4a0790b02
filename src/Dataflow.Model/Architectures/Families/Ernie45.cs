namespace Dataflow.Model;

/// <summary>The dense ERNIE 4.5: neighbouring components are rotated.</summary>
internal sealed class Ernie45 : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "ernie4_5";

    /// <inheritdoc/>
    public override string Architecture => "Ernie4_5ForCausalLM";

    /// <inheritdoc/>
    public override int? HeadDim => 128;

    /// <inheritdoc/>
    public override int? KvHeads => 2;

    /// <inheritdoc/>
    public override double Theta => 500_000;

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override bool Tied => true;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("use_bias");

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            RotatesNeighbours = true,
            Biases = fields.Bool("use_bias", absent: false) ? Biases.Qkv | Biases.AttentionOut | Biases.FeedForward : Biases.None,
        };
}
