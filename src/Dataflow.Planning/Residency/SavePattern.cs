using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// What every forward of a residency keeps, which activations never leave, and where the others are at home. Pairs of layer and chunk
/// count in the order of the forward.
///
/// Rounds that interleave have two rounds' activations alive at once: while the backward empties the homes from the last layer on, the
/// next forward fills them from the first. Odd rounds therefore have their homes in reverse, one layer behind the backward; so one more
/// layer of homes serves both.
/// </summary>
internal sealed class SavePattern
{
    /// <summary>
    /// Rounds whose embedded tokens are alive at once where rounds interleave: embedded ahead, in the forward, in the backward.
    /// </summary>
    public const int RoundsEmbedded = 3;

    private const int Whole = 16;
    private readonly Residency residency;
    private readonly Geometry geometry;
    private readonly int first;
    private readonly int layers;
    private readonly int chunks;
    private readonly bool bothWays;
    private readonly bool[]? keepsKv; // by layer; null where none shares keys and values

    public SavePattern(ModelConfig model, Geometry geometry, WorkloadKind kind, Residency residency)
    {
        (this.residency, this.geometry, layers, chunks) = (residency, geometry, model.LayerCount, geometry.ChunksPerRound);
        first = kind == WorkloadKind.Generation ? 0 : model.LayersWithoutBackward;
        bothWays = residency.Interleaved && geometry.Rounds > 1;
        if (first > 0 && bothWays)
        {
            throw new ArgumentException($"rounds interleave under {residency}, and no backward passes {first} layers", nameof(residency));
        }

        Interleaves = bothWays && kind.HasBackward();
        keepsKv = model.SharesKv ? [.. model.Kinds.Select(k => k.KeepsKv)] : null;
    }

    /// <summary>A round's backward alternates with the next one's forward.</summary>
    public bool Interleaves { get; }

    /// <summary>Pairs of layer and chunk whose activations a backward wants.</summary>
    public int Pairs => (layers - first) * chunks;

    /// <summary>Those of them whose activations travel.</summary>
    public int Travelling => Pairs - residency.ResidentChunks;

    /// <summary>The set that takes the most bytes among those that travel.</summary>
    public SaveSet Most => residency.MoreSixteenths > 0 ? residency.TravellingMore : residency.Travelling;

    /// <summary>
    /// Activations of that pair never leave: the last pairs, which the backward wants first; or, spread, one in so many, so that
    /// the link has the same to do in all layers.
    /// </summary>
    public bool IsResident(Layer l, Chunk c)
    {
        long pairs = Pairs, index = Index(l, c), resident = residency.ResidentChunks;
        return index >= 0
            && (residency.ResidentsSpread ? (index + 1) * resident / pairs > index * resident / pairs : index >= pairs - resident);
    }

    /// <summary>
    /// What a forward produces for a backward that is far away leaves at once, so that the slot is free for what that other round's
    /// backward wants: where rounds interleave there is no pause in which it could.
    /// </summary>
    public bool LeavesAtOnce(Layer l, Chunk c) => Interleaves && Index(l, c) < (layers * chunks) - 2 && !IsResident(l, c);

    /// <summary>No backward passes the layer.</summary>
    public bool IsBelowBackward(Layer l) => l.Index < first;

    /// <summary>What the forward of that chunk keeps: keys and values that layers share always.</summary>
    public SaveSet Saved(Layer l, Chunk c, Round r) =>
        l.Index < first ? SaveSet.None
        : keepsKv is not null && keepsKv[l.Index] ? SavedBeside(l, c, r) | SaveSet.Kv
        : SavedBeside(l, c, r);

    private SaveSet SavedBeside(Layer l, Chunk c, Round r) =>
        IsResident(l, c) ? residency.ResidentSet
        : KeepsMore(HomeOf(l, r), c.Index) && !(residency.LastRoundKeepsLess && r.Index == geometry.Rounds - 1) ? residency.TravellingMore
        : residency.Travelling;

    /// <summary>
    /// The layer of homes that a layer's activations have in that round. What layers have that no backward passes has had its use before
    /// the next one's begins: they share one.
    /// </summary>
    public int HomeOf(Layer l, Round r) =>
        l.Index < first ? 0
        : bothWays && r.Index % 2 == 1 ? layers - l.Index
        : l.Index;

    /// <summary>The same for residual streams, of which there is one more: the head's input.</summary>
    public int HomeOfStream(Layer l, Round r) =>
        l.Index < first ? 0
        : !bothWays ? l.Index
        : l.Index == 0 ? layers + 2 + (r.Index % RoundsEmbedded)
        : r.Index % 2 == 1 ? layers + 1 - l.Index : l.Index;

    /// <summary>Pairs that have a home, at most, if the last few of a round never go there; of these, how many keep more.</summary>
    /// <param name="stay">Pairs at the end that stay.</param>
    public (long Pairs, long More) Homes(int stay)
    {
        var (pairs, more) = (0L, 0L);
        int travelling = Travelling;
        if (!residency.ResidentsSpread && !Interleaves)
        {
            pairs = Math.Max(0, travelling - stay);
            var (full, part) = Math.DivRem((int)pairs, chunks);
            for (int l = first; l < first + full; l++)
            {
                more += MoreIn(l);
            }

            for (int c = 0; c < part; c++)
            {
                more += KeepsMore(first + full, c) ? 1 : 0;
            }

            return (pairs, more);
        }

        for (int l = first; l < layers + (Interleaves ? 1 : 0); l++)
        {
            more += MoreIn(l);
        }

        pairs = Interleaves ? Math.Min(2L * travelling, (layers + 1L) * chunks) : Math.Max(0, travelling - stay);
        return (pairs, Math.Min(more, pairs));
    }

    /// <summary>Chunks of a layer that keep more.</summary>
    public long MoreIn(int homeLayer)
    {
        // Alike from both ends, so that all rounds are alike.
        long place = Math.Min(homeLayer, layers - homeLayer), share = (long)chunks * residency.MoreSixteenths;
        return ((place + 1) * share / Whole) - (place * share / Whole);
    }

    private int Index(Layer l, Chunk c) => ((l.Index - first) * chunks) + c.Index;

    /// <summary>
    /// The chunks that keep more are spread evenly over layers; within a layer they are those that see most of their sequence, whose
    /// attention takes longest to repeat.
    /// </summary>
    private bool KeepsMore(int homeLayer, int chunk)
    {
        if (residency.MoreSixteenths == 0)
        {
            return false;
        }

        int after = geometry.ChunksPerGroup - 1 - (chunk % geometry.ChunksPerGroup);
        int rank = (after * geometry.GroupsPerRound) + (chunk / geometry.ChunksPerGroup);
        return rank < MoreIn(homeLayer);
    }
}
