using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// Bytes of the homes that objects of a family have, given the number of slots in which they take turns: what the tenancy pass will find
/// to travel, or slightly more. Where layers differ in size, those that leave may be the largest.
/// </summary>
internal static class HomeRules
{
    /// <summary>
    /// A ring that turns around fetches its missing layers once each way: the first on the way back, the last on the way out. A third pass,
    /// for updates that wait for the norm, fetches the others too; where rounds interleave they pass in pairs from both ends. A backward
    /// that ends above the first layer leaves each layer idle for long.
    /// </summary>
    public static Bytes Weights(SizedResidency m, int part, int slots)
    {
        if (!m.Sizes.Kind.HasBackward())
        {
            return m.Sizes.LargestWeights(part, OfRing(m.Layers, m.Residency.WeightSlots));
        }

        bool turn =
            m.Sizes.Kind != WorkloadKind.ClippedTraining && !m.Pattern.Interleaves && m.Sizes.LayersWithBackward == m.Layers;
        int homes =
            turn ? Math.Min(m.Layers, 2 * (m.Layers - slots))
            : slots < m.Layers ? m.Layers
            : 0;
        return m.Sizes.LargestWeights(part, homes);
    }

    /// <summary>Without a backward, layers that do not stay.</summary>
    private static int OfRing(int layers, int slots) => slots >= layers ? 0 : layers - ObjectFamilies.Staying(layers, slots);

    /// <summary>Gradients go home between rounds where slots are too few, and as results where they are what the step is for.</summary>
    public static Bytes Gradients(SizedResidency m, int part, int slots)
    {
        int ring = m.Sizes.LayersWithGradients - m.Residency.ResidentGradients;
        int homes =
            !m.Sizes.Kind.HasBackward() ? 0
            : m.Sizes.Kind == WorkloadKind.Gradients ? m.Sizes.LayersWithGradients
            : !m.Sizes.UsesGradientsAtOnce && slots < ring ? ring
            : 0;
        return m.Sizes.LargestGradients(part, homes);
    }

    /// <summary>Optimizer state, but for the pieces that stay; none where all do.</summary>
    public static Bytes Moments(SizedResidency m, int slots, Bytes length) =>
        m.Sizes.Kind.Updates() && m.Residency.ResidentPieces + slots < m.Sizes.Optimizer.Total
            ? m.Sizes.MomentsAfter(m.Residency.ResidentPieces)
            : Bytes.Zero;

    /// <summary>
    /// Residual streams of all layers and the head but those that never leave their slots: below the backward a layer uses up what the one
    /// before it wrote, so that one layer of homes does, or none where there are slots for both.
    /// </summary>
    public static Bytes Streams(SizedResidency m, int slots, Bytes length)
    {
        // Without a backward a layer uses up what the one before it wrote.
        if (!m.Sizes.Kind.HasBackward() && slots > m.Chunks)
        {
            return Bytes.Zero;
        }

        long homes = m.Pattern.Interleaves
            ? TwoRounds(m, m.Pattern.Travelling + m.Chunks, m.Layers + 1) + (SavePattern.RoundsEmbedded * m.Chunks)
            : Math.Max(0, ((m.Sizes.LayersWithBackward + 1 + (slots > m.Chunks ? 0 : Below(m))) * m.Chunks) - StreamsKept(m, slots));
        return length * homes;
    }

    /// <summary>
    /// Whole windows travel where they are kept. Segments of windows pass in order again and again: all travel, unless one window's fit
    /// together.
    /// </summary>
    public static Bytes Windows(SizedResidency m, int slots, Bytes length)
    {
        if (m.Sizes.Kind == WorkloadKind.Generation)
        {
            return length * OfRing(m.Sizes.LayersWithWindows, m.Residency.WindowSlots);
        }

        if (m.Sizes.SharesKv)
        {
            return length * SharedWindows(m, slots);
        }

        // Without a backward a window has had its use when its last chunk has passed.
        if (!m.Sizes.Kind.HasBackward() && m.Residency.WindowSegments == 1)
        {
            return Bytes.Zero;
        }

        int windows = (m.Sizes.LayersWithBackward + Below(m)) * m.Sizes.GroupsPerRound;
        if (m.Residency.WindowSegments > 1)
        {
            // The last window of the forward is the first of the backward where a round has but one.
            int stay = slots >= m.Residency.WindowSegments && m.Sizes.GroupsPerRound == 1 ? 1 : 0;
            return Segments(m, m.Residency.WindowSegments, m.Programs.KvPieceSize) * (windows - stay);
        }

        windows = m.Sizes.WindowsWithBackward * m.Sizes.GroupsPerRound;
        if (!m.Residency.Travelling.HasFlag(SaveSet.Kv) || windows == 0)
        {
            return Bytes.Zero;
        }

        if (m.Pattern.Interleaves)
        {
            return length * (TwoRounds(m, m.Pattern.Travelling + m.Sizes.ChunksPerGroup - 1, m.Layers) / m.Sizes.ChunksPerGroup);
        }

        // Windows of states are shorter than those of keys and values, and those that stay may be these.
        int staying = windows - Leaving(windows, slots, m.Sizes.GroupsPerRound);
        return (m.Sizes.AllWindows * m.Sizes.GroupsPerRound) - (m.Sizes.LeastWindow * staying);
    }

    /// <summary>
    /// Where layers share windows, these are wanted until the last of them has passed, those of all groups in turn: fewer slots than these
    /// keep none. With a backward the shared ones are kept, and the others if the save set has them; else one of these, or one that is
    /// recomputed, takes a slot at a time.
    /// </summary>
    private static long SharedWindows(SizedResidency m, int slots)
    {
        int groups = m.Sizes.GroupsPerRound, inTurn = groups * m.Sizes.WindowsAtOnce, inForward = slots < inTurn ? groups : 0;
        if (!m.Sizes.Kind.HasBackward())
        {
            return (long)m.Sizes.LayersWithWindows * inForward;
        }

        int shared = m.Sizes.SharedWithBackward * groups, windows = m.Sizes.WindowsWithBackward * groups;
        if (m.Pattern.Interleaves)
        {
            return Math.Min(2L * windows, (m.Layers + 1L) * groups);
        }

        if (!m.Residency.Travelling.HasFlag(SaveSet.Kv))
        {
            // Those that stay may be kept, too, and each has brought a slot; the bound must not grow with them.
            slots--;
            int staying =
                !m.Residency.ResidentSet.HasFlag(SaveSet.Kv) ? 0
                : slots < inTurn ? inTurn
                : m.Residency.ResidentChunks / m.Sizes.ChunksPerGroup;
            windows = Math.Min(windows, shared + staying);
        }

        return Leaving(windows, slots, inTurn) + (Below(m) * inForward);
    }

    /// <summary>
    /// Gradients of windows' segments take turns in the homes of one window; whole ones have had their use at once, but those that layers
    /// share, of all groups in turn.
    /// </summary>
    public static Bytes GradWindows(SizedResidency m, int slots, Bytes length)
    {
        int segments = m.Residency.WindowSegments;
        if (m.Sizes.SharedWithBackward > 0)
        {
            int inTurn = m.Sizes.GroupsPerRound * m.Sizes.WindowsAtOnce;
            return length * (slots > 0 && slots < inTurn ? inTurn : 0);
        }

        if (segments == 1)
        {
            return Bytes.Zero;
        }

        // A last segment of one chunk has had its use before another is wanted; the others may then be few enough to stay.
        int travel =
            slots >= segments ? 0
            : ChunksOf(m, segments - 1) > 1 ? segments
            : slots == segments - 1 ? 1
            : segments - 1;
        return Segments(m, travel, m.Programs.GradKvPieceSize);
    }

    /// <summary>
    /// Saved activations of the pairs that travel. Those of the last ones stay in the slots, where a layer's fit them; where all pairs
    /// share one pool, those that stay count as slots.
    /// </summary>
    public static Bytes Activations(SizedResidency m, int slots, Bytes length)
    {
        int perTurn = m.Sizes.GroupsPerRound == 1 ? 1 : m.Chunks;
        int objects = m.Pattern.Travelling + (m.OneActivationPool ? m.Residency.ResidentChunks : 0);
        int stay = !m.Pattern.Interleaves && slots >= Math.Min(perTurn, objects) ? slots : 0;
        var (pairs, more) = m.OneActivationPool ? (objects - stay, 0) : m.Pattern.Homes(stay);
        return (m.Programs.ActivationsSize(m.Residency.Travelling).Aligned * (pairs - more)) + (length * more);
    }

    /// <summary>Layers of homes that all layers share that no backward passes.</summary>
    private static int Below(SizedResidency m) => m.Sizes.LayersWithBackward < m.Layers ? 1 : 0;

    /// <summary>Forward needs the streams of the layer's remaining chunks and of the next layer's first ones at once.</summary>
    private static int StreamsKept(SizedResidency m, int slots)
    {
        // Blocks of the vocabulary pass the chunks of the first and the last layer again and again: fewer slots than chunks keep none.
        // So does what layers take of tokens, on the way back.
        bool again = (m.Sizes.IsCut && (m.Programs.Vocabulary.Count > 1 || m.Sizes.Kind.HasBackward()))
            || (m.Model is { LayerInputDim: > 0, HasEmbedBackward: true } && m.Sizes.Kind.HasBackward());
        return slots > m.Chunks ? slots
            : m.Sizes.GroupsPerRound == 1 && (slots == m.Chunks || !again) ? slots - 1
            : 0;
    }

    /// <summary>Homes of so many pairs at the beginning and, of the other round, at the end (<see cref="SavePattern.HomeOf"/>).</summary>
    private static long TwoRounds(SizedResidency m, int pairs, int homeLayers) => Math.Min(2L * pairs, (homeLayers + 1L) * m.Chunks);

    /// <summary>
    /// Objects that leave a pool in which the last ones produced are the first ones wanted back. Within a layer the groups come back in the
    /// order in which they went, so that fewer slots than a layer has objects save none.
    /// </summary>
    private static int Leaving(int objects, int slots, int perTurn) =>
        slots >= Math.Min(perTurn, objects) ? Math.Max(0, objects - slots) : objects;

    /// <summary>The first segments of a window.</summary>
    private static Bytes Segments(SizedResidency m, int count, Bytes piece)
    {
        var sum = Bytes.Zero;
        for (int s = 0; s < count; s++)
        {
            sum += (piece * ChunksOf(m, s)).Aligned;
        }

        return sum;
    }

    private static int ChunksOf(SizedResidency m, int segment) =>
        m.Geometry.RowsOf(new Segment(segment, m.Residency.WindowSegments)) / m.Geometry.ChunkTokens;
}
