using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>Which sublayers a block has.</summary>
public enum Sublayers
{
    /// <summary>What passes between tokens, then a feed-forward.</summary>
    Both,

    /// <summary>Attention alone, or what stands in its place (Nemotron-H).</summary>
    Mixer,

    /// <summary>A feed-forward alone (Nemotron-H).</summary>
    FeedForward,
}

/// <summary>What may differ from layer to layer of one model.</summary>
/// <param name="FfnDim">Width F of the feed-forward.</param>
/// <param name="Window">The most keys that a token attends to, itself among them; null for all of its document.</param>
/// <param name="FfnApart">The feed-forward's parameters are an object of their own, which travels apart from attention's.</param>
/// <param name="Frozen">Training leaves its parameters as they are: they have no gradients and no optimizer state.</param>
/// <param name="FrozenType">
/// What a frozen layer's matrices are stored in, one of <see cref="DTypes.OfFrozen"/>; null for the type that the recipe has for
/// parameters.
/// </param>
/// <param name="Positions">Its rotary positions, if not those of the model.</param>
/// <param name="AttentionScale">What its products of queries and keys are multiplied by, if not as in the other layers.</param>
public sealed record LayerKind(
    int FfnDim,
    int? Window = null,
    bool FfnApart = false,
    bool Frozen = false,
    DType? FrozenType = null,
    RotaryPositions? Positions = null,
    double? AttentionScale = null
)
{
    /// <summary>Parameters that training leaves as they are where the others are trained.</summary>
    public WeightSet FrozenWeights { get; init; }

    /// <summary>What an adapter adds to its products; null: nothing.</summary>
    public LayerAdapter? Adapter { get; init; }

    /// <summary>
    /// It has no keys and values of its own: its queries attend to those, after norm and rotation, of the nearest layer below that has.
    /// </summary>
    public bool SharesKv { get; init; }

    /// <summary>Where it shares: with the nearest layer below whose window is as its own (Gemma 4), not with the nearest of any.</summary>
    public bool SharesByWindow { get; init; }

    /// <summary>Its attention's heads, if not those of the model.</summary>
    public LayerHeads? Heads { get; init; }

    /// <summary>
    /// Its values are its keys as they are projected, before norm and rotation (Gemma 4): there is no matrix for them.
    /// </summary>
    public bool KeysAreValues { get; init; }

    /// <summary>Layers above share the keys and values of this one, which <see cref="ModelConfig.KindOf"/> knows.</summary>
    public bool KvIsRead { get; init; }

    /// <summary>
    /// Its window is kept from the source's forward to the source's backward, whatever else is: several layers' backwards read it.
    /// </summary>
    public bool KeepsKv => SharesKv || KvIsRead;

    /// <summary>
    /// It has a gated convolution over so many tokens in place of attention: what a chunk leaves for the next one of its row is a state of
    /// fixed size.
    /// </summary>
    public int? ConvolutionTaps { get; init; }

    /// <summary>
    /// Its feed-forward is a mixture of experts; what <see cref="FfnDim"/> says is then of an expert that every token has besides, 0 where
    /// there is none. Null: it is dense.
    /// </summary>
    public ExpertMixture? Experts { get; init; }

    /// <summary>Width of its widest feed-forward, of an expert or dense.</summary>
    public int WidestFfn => Math.Max(FfnDim, Experts?.Dim ?? 0);

    /// <summary>It has linear attention with a state in place of attention; null: it has not.</summary>
    public Recurrence? Recurrence { get; init; }

    /// <summary>Where its norms stand, if not as in the other layers.</summary>
    public NormPlacement? Placement { get; init; }

    /// <summary>Which of a block's two sublayers it has; without a feed-forward <see cref="FfnDim"/> is 0.</summary>
    public Sublayers Sublayers { get; init; }

    /// <summary>It has attention, or what stands in its place: what passes between tokens.</summary>
    public bool HasMixer => Sublayers != Sublayers.FeedForward;

    /// <summary>It has a feed-forward, dense or of experts.</summary>
    public bool HasFeedForward => Sublayers != Sublayers.Mixer;

    /// <summary>It has attention.</summary>
    public bool Attends => HasMixer && ConvolutionTaps is null && Recurrence is null;

    /// <summary>A state passes from chunk to chunk, in place of keys and values.</summary>
    public bool HasState => ConvolutionTaps is not null || Recurrence is not null;

    /// <summary>It leaves something for the chunks behind: keys and values, or a state.</summary>
    public bool HasWindow => HasMixer && !SharesKv;

    /// <summary>What can be kept of a forward, of a layer with these sublayers.</summary>
    public SaveSet Keepable =>
        Sublayers switch
        {
            Sublayers.FeedForward => SaveSet.GateUp,
            Sublayers.Mixer => SaveSet.Kv | SaveSet.Query | SaveSet.Attention,
            _ => SaveSet.All,
        };

    /// <summary>Whether training changes a parameter.</summary>
    public bool Trains(WeightName weight) =>
        weight.IsOfAdapter() || (!Frozen && !FrozenWeights.Has(weight) && !weight.IsBuffer());
}

/// <summary>The kinds of a model's layers from the first one on, over and over: layer l is of kind l modulo their number.</summary>
public sealed class LayerPattern : IEquatable<LayerPattern>
{
    /// <summary>A pattern of at least one kind.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public LayerPattern(params ImmutableArray<LayerKind> kinds)
    {
        if (kinds.IsDefaultOrEmpty)
        {
            throw new ArgumentException("a pattern of layers has at least one kind", nameof(kinds));
        }

        Kinds = kinds;
        SharesKv = kinds.Any(k => k.SharesKv);
        HasStates = kinds.Any(k => k.HasState);
        HasExperts = kinds.Any(k => k.Experts is not null);
    }

    /// <summary>Some layers are mixtures of experts.</summary>
    public bool HasExperts { get; }

    /// <summary>Some layers pass a state from chunk to chunk.</summary>
    public bool HasStates { get; }

    /// <summary>Some layers share keys and values of others.</summary>
    public bool SharesKv { get; }

    private Sharing? sharing;

    /// <summary>Who shares keys and values with whom, in a model of so many layers.</summary>
    internal Sharing SharingOf(int layers) => sharing is { } known && known.Layers == layers ? known : sharing = new Sharing(this, layers);

    /// <summary>In order; a kind may come several times.</summary>
    public ImmutableArray<LayerKind> Kinds { get; }

    /// <summary>The kind of a layer.</summary>
    public LayerKind this[Layer layer] => Kinds[layer.Index % Kinds.Length];

    /// <inheritdoc/>
    public bool Equals(LayerPattern? other) => other is not null && Kinds.AsSpan().SequenceEqual(other.Kinds.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as LayerPattern);

    /// <summary>Of each layer the one whose keys and values it attends to, and of that one the last that does.</summary>
    internal sealed class Sharing
    {
        private readonly int[] sources;
        private readonly int[] last;

        public Sharing(LayerPattern pattern, int layers)
        {
            (sources, last) = (new int[layers], new int[layers]);
            for (int l = 0; l < layers; l++)
            {
                var kind = pattern[new Layer(l)];
                int source = l;
                while (source > 0 && (pattern[new Layer(source)] is { SharesKv: true } || !Fits(kind, pattern[new Layer(source)])))
                {
                    source--;
                }

                (sources[l], last[source]) = (source, l);
            }
        }

        public int Layers => sources.Length;

        public Layer SourceOf(Layer layer) => new(sources[layer.Index]);

        public Layer LastReaderOf(Layer source) => new(last[source.Index]);

        private static bool Fits(LayerKind kind, LayerKind source) => !kind.SharesByWindow || kind.Window == source.Window;
    }

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var kind in Kinds)
        {
            hash.Add(kind);
        }

        return hash.ToHashCode();
    }
}
