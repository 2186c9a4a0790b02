using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// Every family of objects of a step, one row each. The device's pools in their order, its memory and the host's before anything is
/// lowered, objects with their names and homes, and what people are shown: all follow from these rows.
/// </summary>
internal static partial class ObjectFamilies
{
    public static readonly ObjectRow Scratch = new(ObjectFamily.Scratch) { SlotLengthIn = static m => m.Scratch };

    /// <summary>Each chunk of the step has its own, which the runtime writes.</summary>
    public static readonly ObjectRow Tables = new(ObjectFamily.Tables)
    {
        SlotLength = static w => w.Programs.TableSize,
        SlotCount = static m => Math.Min(m.Alive * m.Alive, m.Sizes.Rounds) * m.Chunks,
        Life = static _ => Lifetime.Input,
        Home = static (_, id) => id,
        Homes = static (m, _, length) => length * ((long)m.Chunks * m.Sizes.Rounds),
    };

    /// <summary>One fp32 for every chunk of the step.</summary>
    public static readonly ObjectRow Losses = new(ObjectFamily.Losses)
    {
        SlotLength = static w => new Bytes(4L * w.Chunks * w.Rounds),
        SlotCount = static m => m.Sizes.Kind == WorkloadKind.Generation || m.Geometry.Pairs ? 0 : 1,
        Life = static _ => Lifetime.Output,
        Homes = static (_, slots, length) => length * slots,
    };

    /// <summary>What the pairs of all rounds are compared by, which the runtime writes, and their sums, which it reads.</summary>
    public static readonly ObjectRow Pairs = new(ObjectFamily.Pairs)
    {
        SlotLength = static w => w.Workload.Geometry.Pairs ? PairTable.Size(w.Workload.Geometry) * w.Rounds : Bytes.Zero,
        SlotCount = static m => m.Geometry.Pairs ? 1 : 0,
        Life = static _ => Lifetime.State,
    };

    /// <summary>
    /// Logits that are a step's result: fp32, a row for each token that may be asked for; of a vocabulary that is cut, an object a block.
    /// </summary>
    public static readonly ObjectRow Logits = new(ObjectFamily.Logits)
    {
        SlotLength = static w => LogitsOf(w, 0),
        SlotCount = static m => m.Sizes.Kind == WorkloadKind.Generation ? Math.Min(Ring, m.Programs.Vocabulary.Count) : 0,
        Replacement = static _ => Replacement.LongestIdle,
        Life = static _ => Lifetime.Output,
        Length = static (m, id) => LogitsOf(m.Sizes, id.Piece ?? 0),
        Homes = static (m, slots, _) => slots == 0 ? Bytes.Zero
            : m.Programs.Vocabulary.Blocks.Aggregate(Bytes.Zero, (sum, b) => sum + LogitsOf(m.Sizes, b.Index).Aligned),
    };

    /// <summary>One fp64 for every parameter object, where gradients are clipped.</summary>
    public static readonly ObjectRow Norms = new(ObjectFamily.Norms)
    {
        SlotLength = static w => new Bytes(8L * w.Owners.Count),
        SlotCount = static m => m.Sizes.Kind == WorkloadKind.ClippedTraining ? 1 : 0,
        Life = static _ => Lifetime.Output,
        Homes = static (_, slots, length) => length * slots,
    };

    /// <summary>Parameters of the layers, those in their first objects.</summary>
    public static readonly ObjectRow Weights = WeightsOf(0);

    /// <summary>Gradients of these.</summary>
    public static readonly ObjectRow Gradients = GradientsOf(0);

    /// <summary>Pieces of optimizer state, of all parameters.</summary>
    public static readonly ObjectRow Moments = new(ObjectFamily.Moments)
    {
        SlotLength = static w => w.Optimizer.SlotSize,
        SlotCount = static m =>
            m.Sizes.Kind.Updates() ? Math.Min(m.Residency.OptimizerSlots, m.Sizes.Optimizer.Total - m.Residency.ResidentPieces) : 0,
        Replacement = static _ => Replacement.LongestIdle,
        ResidentCount = static m => m.Sizes.Kind.Updates() ? m.Residency.ResidentPieces : 0,
        Life = static _ => Lifetime.State,
        Length = static (m, id) =>
            m.Sizes.Optimizer.Of(id.Owner!.Value.Layout(m.Programs), id.Piece!.Value).Size,
        Homes = HomeRules.Moments,
    };

    /// <summary>Residual streams at the entries of the layers and of the head.</summary>
    public static readonly ObjectRow Streams = new(ObjectFamily.Streams)
    {
        SlotLength = static w => w.Programs.StreamSize,
        SlotCount = static m => Math.Min(m.Residency.StreamSlots + m.Residency.ResidentChunks, (m.Layers + 1) * m.Chunks * m.Alive),
        Home = static (m, id) => id with { Layer = new Layer(m.Pattern.HomeOfStream(id.Layer!.Value, id.Round!.Value)), Round = null },
        LeavesAtOnce = static (m, id) => m.Pattern.LeavesAtOnce(id.Layer!.Value, id.Chunk!.Value),
        Homes = HomeRules.Streams,
    };

    /// <summary>
    /// Context windows of the layers, or segments of them. What a backward recomputes is an object of its own. Where sequences are
    /// continued, windows are kept from step to step.
    /// </summary>
    public static readonly ObjectRow Windows = new(ObjectFamily.Windows)
    {
        SlotLengthIn = static m =>
            m.Geometry.Cache is null
                ? m.Programs.KvPieceSize * m.Geometry.ChunksPerSegment(m.Residency.WindowSegments)
                : m.Programs.Most(k => RowsOfWindow(m, k.KvPieceSize, m.Geometry.WindowRows)),
        SlotCount = static m =>
            m.Sizes.Kind == WorkloadKind.Generation
                ? InRing(m.Sizes.LayersWithWindows, m.Residency.WindowSlots)
                : Math.Min(
                    m.Residency.WindowSlots + (m.Residency.ResidentChunks / m.Sizes.ChunksPerGroup),
                    m.Sizes.LayersWithWindows * m.Sizes.GroupsPerRound * m.Residency.WindowSegments * m.Alive
                ),
        Replacement = InTurn,
        ResidentCount = static m =>
            m.Sizes.Kind == WorkloadKind.Generation ? Staying(m.Sizes.LayersWithWindows, m.Residency.WindowSlots) : 0,
        IsResident = static (m, id) =>
            m.Sizes.Kind == WorkloadKind.Generation
            && IsSpread(
                m.Sizes.LayersWithWindows,
                m.Sizes.PlaceOfWindow(id.Layer!.Value),
                Staying(m.Sizes.LayersWithWindows, m.Residency.WindowSlots)),
        Life = static kind => kind == WorkloadKind.Generation ? Lifetime.State : Lifetime.Transient,
        Length = static (m, id) => OfWindow(m, id, m.Programs[id.Layer!.Value].KvPieceSize),
        Home = static (m, id) =>
            id.Segment is null || m.Pattern.IsBelowBackward(id.Layer!.Value) ? HomeInLayer(m, id) : id with { Round = null },
        LeavesAtOnce = static (m, id) =>
            id.Family == ObjectFamily.Windows
            && id.Segment is null
            && m.Pattern.LeavesAtOnce(id.Layer!.Value, new Chunk(id.Group!.Value * m.Sizes.ChunksPerGroup)),
        Homes = HomeRules.Windows,
    };

    /// <summary>
    /// Gradients of these. Only one group's are alive at a time, or, where layers share keys and values, those of as many layers as are
    /// wanted at once: the same segment, or group, of all has one home.
    /// </summary>
    public static readonly ObjectRow GradWindows = new(ObjectFamily.GradWindows)
    {
        SlotLengthIn = static m => m.Programs.GradKvPieceSize * m.Geometry.ChunksPerSegment(m.Residency.WindowSegments),
        SlotCount = static m =>
            !m.Sizes.Kind.HasBackward() || m.Sizes.LayersWithBackward == 0 ? 0
            : m.Residency.WindowSegments > 1 ? Math.Min(m.Residency.WindowSlots, m.Residency.WindowSegments)
            : m.Sizes.SharedWithBackward == 0 ? 1
            : Math.Min(
                m.Residency.WindowSlots + (m.Residency.ResidentChunks / m.Sizes.ChunksPerGroup),
                m.Sizes.GroupsPerRound * m.Sizes.WindowsAtOnce),
        Replacement = InTurn,
        Length = static (m, id) => OfWindow(m, id, m.Programs[id.Layer!.Value].GradKvPieceSize),
        Home = static (m, id) =>
            id.Segment is { } s ? new ObjectId(id.Family) { Segment = s }
            : m.Sizes.SharedWithBackward > 0 ? new ObjectId(id.Family) { Group = id.Group, Piece = TurnOf(m, id) }
            : HomeInLayer(m, id),
        Homes = HomeRules.GradWindows,
    };

    /// <summary>Gradients of residual streams.</summary>
    public static readonly ObjectRow GradStreams = new(ObjectFamily.GradStreams)
    {
        SlotLength = static w => w.Programs.StreamSize,
        SlotCount = static m => m.Sizes.Kind.HasBackward() ? Math.Min(m.Residency.GradStreamSlots, m.Alive * m.Chunks) : 0,
        Replacement = static _ => Replacement.LongestIdle,
        Homes = static (m, slots, length) => length * (slots > 0 && slots < m.Chunks ? m.Chunks : 0),
    };

    /// <summary>Where the vocabulary is cut: what its blocks say of a chunk's rows of logits.</summary>
    public static readonly ObjectRow LogitStatistics = new(ObjectFamily.LogitStatistics)
    {
        SlotLength = static w => w.Programs.LogitStatisticsSize,
        SlotCount = static m => m.Sizes.IsCut && m.Sizes.Kind != WorkloadKind.Generation ? m.Chunks : 0,
    };

    /// <summary>Where the vocabulary is cut: gradients of the head's input, summed over its blocks.</summary>
    public static readonly ObjectRow GradHeads = new(ObjectFamily.GradHeads)
    {
        SlotLength = static w => w.Programs.GradHeadSize,
        SlotCount = static m => m.Sizes.IsCut && m.Sizes.Kind.HasBackward() ? Math.Min(m.Residency.GradStreamSlots, m.Chunks) : 0,
        Replacement = static _ => Replacement.LongestIdle,
        Homes = VocabularyMemory.GradHeadHomes,
    };

    /// <summary>What forwards keep. Those that stay share the pool where they are like the others.</summary>
    public static readonly ObjectRow Activations = new(ObjectFamily.Activations)
    {
        SlotLengthIn = static m => m.Programs.ActivationsSize(m.Pattern.Most),
        SlotCount = static m =>
            m.Programs.ActivationsSize(m.Pattern.Most) == Bytes.Zero ? 0
            : m.OneActivationPool ? Math.Min(m.Residency.ActivationSlots + m.Residency.ResidentChunks, m.Pattern.Pairs)
            : Math.Min(m.Residency.ActivationSlots, m.Pattern.Travelling),
        ResidentCount = static m => m.OneActivationPool ? 0 : m.Residency.ResidentChunks,
        IsResident = static (m, id) => !m.OneActivationPool && m.Pattern.IsResident(id.Layer!.Value, id.Chunk!.Value),
        ResidentLengthIn = static m => m.Programs.ActivationsSize(m.Residency.ResidentSet),
        Length = static (m, id) =>
            m.Programs[id.Layer!.Value].ActivationsSize(m.Pattern.Saved(id.Layer!.Value, id.Chunk!.Value, id.Round!.Value)),
        Home = HomeInLayer,
        LeavesAtOnce = static (m, id) => m.Pattern.LeavesAtOnce(id.Layer!.Value, id.Chunk!.Value),
        Homes = HomeRules.Activations,
    };

    /// <summary>Parameters of embedding and head, or of blocks of both.</summary>
    public static readonly ObjectRow VocabularyWeights = Vocabulary(Weights, static recipe => recipe.Parameters) with
    {
        SlotCount = VocabularyMemory.WeightSlots,
        Homes = VocabularyMemory.WeightHomes,
    };

    /// <summary>The head's norm, where its matrix is the table's or lies in blocks.</summary>
    public static readonly ObjectRow HeadWeights = Head(Weights, static recipe => recipe.Parameters);

    /// <summary>Gradients of embedding and head, or of blocks of both.</summary>
    public static readonly ObjectRow VocabularyGradients = Vocabulary(Gradients, static recipe => recipe.Gradients) with
    {
        SlotLength = VocabularyMemory.GradientSlotLength,
        SlotCount = VocabularyMemory.GradientSlots,
        Homes = VocabularyMemory.GradientHomes,
    };

    /// <summary>The gradient of the head's norm.</summary>
    public static readonly ObjectRow HeadGradients = Head(Gradients, static recipe => recipe.Gradients);

    /// <summary>What of embedding and head is trained otherwise than the rest; it stays.</summary>
    public static readonly ObjectRow ApartWeights = Apart(Weights, static recipe => recipe.Parameters);

    /// <summary>Its gradients.</summary>
    public static readonly ObjectRow ApartGradients = Apart(Gradients, static recipe => recipe.Gradients);

    /// <summary>One for every round: two are alive where a round's forward runs beside another's backward.</summary>
    public static readonly ObjectRow Loads = new(ObjectFamily.Loads)
    {
        SlotLength = static w => w.Workload.Model.LoadSize,
        SlotCount = static m => m.Model.HasRouterLosses && m.Sizes.Kind != WorkloadKind.Generation ? m.Alive : 0,
    };

    /// <summary>What layers take of tokens besides the stream: it stays, from a round's embedding to the way back there.</summary>
    public static readonly ObjectRow LayerInputs = new(ObjectFamily.LayerInputs)
    {
        SlotLength = static w => w.Programs.LayerInputsSize,
        SlotCount = static m => m.Model.LayerInputDim == 0 ? 0
            : m.Chunks * (m.Pattern.Interleaves ? Math.Min(SavePattern.RoundsEmbedded, m.Sizes.Rounds) : 1),
    };

    /// <summary>Its gradients.</summary>
    public static readonly ObjectRow GradLayerInputs = new(ObjectFamily.GradLayerInputs)
    {
        SlotLength = static w => w.Programs.LayerInputsSize,
        SlotCount = static m =>
            m.Model is { LayerInputDim: > 0, HasEmbedBackward: true } && m.Sizes.Kind.HasBackward() ? m.Chunks * m.Alive : 0,
    };

    /// <summary>
    /// All rows of a workload whose layers have one parameter object each, in the order of their pools in the device's arena.
    /// </summary>
    public static readonly ImmutableArray<ObjectRow> All =
    [
        Scratch,
        Tables,
        Losses,
        Pairs,
        Logits,
        Norms,
        Weights,
        Gradients,
        Moments,
        Streams,
        Windows,
        GradWindows,
        GradStreams,
        LogitStatistics,
        GradHeads,
        Activations,
        VocabularyWeights,
        HeadWeights,
        VocabularyGradients,
        HeadGradients,
        ApartWeights,
        ApartGradients,
        Loads,
        LayerInputs,
        GradLayerInputs,
    ];

    /// <summary>
    /// The rows of a workload: where layers have several parameter objects each, one more of parameters and of gradients for each, and a
    /// last one for all those of experts.
    /// </summary>
    public static ImmutableArray<ObjectRow> Of(BlockPrograms programs, ExpertObjects? experts = null)
    {
        int others = programs.Kinds.Max(k => k.OtherParts.Count()), parts = others + (experts is null ? 0 : 1);
        return parts == 1 ? All : [.. All.SelectMany(row => Enumerable.Range(0, PartsOf(row)).Select(p => Of(row, p)))];

        ObjectRow Of(ObjectRow row, int part) => OfPart(row, part, part == others ? experts : null);

        int PartsOf(ObjectRow row) => row == Weights || row == Gradients ? parts : 1;
    }

    /// <summary>Of a workload's rows those of parameters, or of gradients, of all objects of a layer, given that of the first.</summary>
    public static IEnumerable<ObjectRow> OfLayers(ObjectRow first, ImmutableArray<ObjectRow> rows) =>
        rows.SkipWhile(row => row != first).TakeWhile(row => row.Family == first.Family);

    /// <summary>Pools with at least one slot, in the order in which they lie in the arena: the device's memory, to the byte.</summary>
    public static ImmutableArray<Pool> Pools(SizedResidency sized) =>
        [.. sized.Sizes.Rows.SelectMany(row => row.Pools(sized)).Where(p => p.SlotCount > 0 && p.SlotLength > Bytes.Zero)];

    private static ObjectRow OfPart(ObjectRow row, int part, ExpertObjects? experts) =>
        part == 0 ? row
        : experts is not null ? row == Weights ? WeightsOf(experts, part) : GradientsOf(experts, part)
        : row == Weights ? WeightsOf(part)
        : GradientsOf(part);

    private static ObjectRow WeightsOf(int part) =>
        new(ObjectFamily.Weights, part)
        {
            SlotLength = w => w.Programs.Most(k => k.WeightsSize(k.OtherPart(part))),
            SlotCount = static m =>
                m.Sizes.Kind.HasBackward() ? Math.Min(m.Residency.WeightSlots, m.Layers) : InRing(m.Layers, m.Residency.WeightSlots),
            Replacement = static m => m.Sizes.Kind.HasBackward() ? Replacement.FarthestUse : Replacement.LongestIdle,
            ResidentCount = static m => m.Sizes.Kind.HasBackward() ? 0 : Staying(m.Layers, m.Residency.WeightSlots),
            IsResident = static (m, id) =>
                !m.Sizes.Kind.HasBackward() && IsSpread(m.Layers, id.Layer!.Value.Index, Staying(m.Layers, m.Residency.WeightSlots)),
            Life = static _ => Lifetime.State,
            Length = static (m, id) => id.Owner!.Value.Layout(m.Programs).SizeIn(m.Sizes.Workload.Recipe),
            Homes = (m, slots, _) => HomeRules.Weights(m, part, slots),
        };

    private static ObjectRow GradientsOf(int part) =>
        new(ObjectFamily.Gradients, part)
        {
            SlotLength = w => w.Programs.Most(k => k.GradientsSize(k.OtherPart(part))),
            SlotCount = static m =>
                m.Sizes.Kind.HasBackward()
                    ? Math.Min(m.Residency.GradientSlots, m.Sizes.LayersWithGradients - m.Residency.ResidentGradients)
                    : 0,
            Replacement = static m => m.Residency.GradientsRotate ? Replacement.Rotation : Replacement.LongestIdle,
            ResidentCount = static m => m.Residency.ResidentGradients,
            IsResident = static (m, id) => m.Sizes.PlaceOfGradients(id.Layer!.Value) < m.Residency.ResidentGradients,
            Life = GradientLife,
            Length = static (m, id) => id.Owner!.Value.Layout(m.Programs).Size(m.Sizes.Workload.Recipe.Gradients),
            Homes = (m, slots, _) => HomeRules.Gradients(m, part, slots),
        };

    /// <summary>
    /// Without a backward layers pass in one order again and again: what does not fit goes through a ring of two slots, and the others
    /// stay, spread over all layers, so that the link has time for what travels between two that stay.
    /// </summary>
    private const int Ring = 2;

    /// <summary>Of so many slots for layers those in which the others take turns.</summary>
    private static int InRing(int layers, int slots) => slots >= layers ? layers : Math.Min(slots, Ring);

    /// <summary>Layers that stay, of so many slots.</summary>
    public static int Staying(int layers, int slots) => slots >= layers ? 0 : Math.Max(0, slots - Ring);

    private static bool IsSpread(int layers, int place, int staying) => (place + 1L) * staying / layers > (long)place * staying / layers;

    private static Bytes LogitsOf(MemorySizes w, int block) =>
        new(4L * (w.Workload.Geometry.Cache?.Logits ?? 0) * w.Programs.Vocabulary.RowsOf(new VocabularyBlock(block)));

    private static Lifetime GradientLife(WorkloadKind kind) => kind == WorkloadKind.Gradients ? Lifetime.Output : Lifetime.Transient;

    private static ObjectRow Vocabulary(ObjectRow ofLayers, Func<Recipe, DType> type) =>
        ofLayers with
        {
            Label = $"vocabulary {ofLayers.Label}",
            PoolName = model => $"{ofLayers.Family.Prefix}.{(model.TiedEmbedding ? "embed" : "vocabulary")}",
            SlotLength = w => VocabularyMemory.SlotLength(w, type(w.Workload.Recipe)),
            Replacement = static m => m.Sizes.IsCut ? Replacement.LongestIdle : Replacement.FarthestUse,
            ResidentCount = null,
            IsResident = static (_, _) => false,
            Length = (m, id) => id.Owner!.Value.Layout(m.Programs).Size(type(m.Sizes.Workload.Recipe)),
        };

    private static ObjectRow Head(ObjectRow ofLayers, Func<Recipe, DType> type) =>
        Vocabulary(ofLayers, type) with
        {
            PoolName = _ => $"{ofLayers.Family.Prefix}.head",
            SlotLength = w => w.Programs.HeadLayout.Size(type(w.Workload.Recipe)),
            SlotCount = m =>
                VocabularyMemory.HeadIsApart(m.Sizes)
                && (ofLayers.Family != ObjectFamily.Gradients || (m.Sizes.Kind.HasBackward() && m.Model.TrainsHead))
                    ? 1
                    : 0,
            Replacement = static _ => Replacement.FarthestUse,
            Homes = null,
        };

    private static ObjectRow Apart(ObjectRow ofLayers, Func<Recipe, DType> type) =>
        Head(ofLayers, type) with
        {
            PoolName = _ => $"{ofLayers.Family.Prefix}.apart",
            SlotLength = w => w.Programs.ApartLayout?.Size(type(w.Workload.Recipe)) ?? Bytes.Zero,
            SlotCount = m =>
                m.Programs.ApartLayout is { } apart
                && (ofLayers.Family != ObjectFamily.Gradients || (m.Sizes.Kind.HasBackward() && apart.IsTrained))
                    ? 1
                    : 0,

            // Gradients that are the step's result leave in the end.
            Homes = (m, _, length) =>
                ofLayers.Family == ObjectFamily.Gradients && m.Sizes.Kind == WorkloadKind.Gradients ? length : Bytes.Zero,
        };
}
