using System.Collections.Immutable;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>The objects of a step by name: what each is called, where its home is, which pool holds it.</summary>
internal sealed class ObjectTable(Workload workload, BlockPrograms programs, Residency residency, ImmutableArray<Pool> pools)
{
    private readonly ModelConfig model = workload.Model;
    private readonly Recipe recipe = workload.Recipe;
    private readonly Geometry geometry = workload.Geometry;
    private readonly List<StepObject> objects = [];
    private readonly Dictionary<Key, int> ids = [];
    private readonly Dictionary<string, int> poolIds = pools.Select((p, i) => (p.Name, Index: i)).ToDictionary(p => p.Name, p => p.Index);
    private readonly Bytes scratch = DevicePools.ScratchSize(workload, programs, residency);
    private readonly SavePattern pattern = new(workload.Model, workload.Geometry, workload.Kind, residency);

    public ImmutableArray<StepObject> Objects => [.. objects];

    private Lifetime GradientLife => workload.Kind == WorkloadKind.Gradients ? Lifetime.Output : Lifetime.Transient;

    /// <summary>What the forward of that chunk keeps.</summary>
    public SaveSet Saved(Layer l, Chunk c, Round r) => pattern.Saved(l, c, r);

    public Use Table(Chunk c, Round r) =>
        Whole(Roles.Table, Known(new Key(ObjectKind.Table, Chunk: c.Index, Round: r.Index), out var key)
            ?? New(key, $"T/{c}/{r}", $"T/{c}/{r}", programs.TableSize, PoolNames.Tables, Lifetime.Input), AccessMode.Read);

    /// <summary>Residual stream at the entry of a layer; the layer after the last is the head.</summary>
    public Use Stream(string role, Layer l, Chunk c, Round r, AccessMode mode) =>
        Whole(
            role,
            Known(new Key(ObjectKind.Stream, l.Index, c.Index, r.Index), out var key)
                ?? New(
                    key,
                    $"X/{l}/{c}/{r}",
                    $"X/{new Layer(pattern.HomeOfStream(l, r))}/{c}",
                    programs.StreamSize,
                    PoolNames.Streams,
                    Lifetime.Transient,
                    pattern.LeavesAtOnce(l, c)
                ),
            mode
        );

    public Use GradStream(Chunk c, Round r, AccessMode mode) =>
        Whole(Roles.GradStream, Known(new Key(ObjectKind.GradStream, Chunk: c.Index, Round: r.Index), out var key)
            ?? New(key, $"dX/{c}/{r}", $"dX/{c}", programs.StreamSize, PoolNames.GradStreams, Lifetime.Transient), mode);

    /// <summary>Rows of a group's context window. The window that a backward recomputes is an object of its own.</summary>
    public Use Window(Layer l, Chunk c, Round r, bool recomputed, int firstRow, int rows, AccessMode mode)
    {
        long row = programs.KvPieceSize.Value / geometry.ChunkTokens;
        int id = OfGroup(
            recomputed ? ObjectKind.RecomputedWindow : ObjectKind.Window,
            recomputed ? "KVr" : "KV",
            l,
            c,
            r,
            row,
            PoolNames.Windows
        );
        return new Use(Roles.Kv, id, new Bytes(row * firstRow), new Bytes(row * rows), mode);
    }

    public Use GradWindow(Layer l, Chunk c, Round r, int rows, AccessMode mode)
    {
        long row = programs.GradKvPieceSize.Value / geometry.ChunkTokens;
        int id = OfGroup(ObjectKind.GradWindow, "dKV", l, c, r, row, PoolNames.GradWindows);
        return new Use(Roles.GradKv, id, Bytes.Zero, new Bytes(row * rows), mode);
    }

    /// <summary>Rows of a segment of a group's context window.</summary>
    public Use Segment(Layer l, Chunk c, Round r, Segment s, int firstRow, int rows, AccessMode mode) =>
        SegmentRows(Roles.Kv, ObjectKind.Window, "KV", programs.KvPieceSize, PoolNames.Windows, l, c, r, s, firstRow, rows, mode);

    /// <summary>The same rows of its gradient. Only one group's is alive at a time: all have one home.</summary>
    public Use GradSegment(Layer l, Chunk c, Round r, Segment s, int firstRow, int rows, AccessMode mode) =>
        SegmentRows(
            Roles.GradKv,
            ObjectKind.GradWindow,
            "dKV",
            programs.GradKvPieceSize,
            PoolNames.GradWindows,
            l,
            c,
            r,
            s,
            firstRow,
            rows,
            mode
        );

    /// <summary>Saved activations; no use where the save set needs no object.</summary>
    public Use Activations(Layer l, Chunk c, Round r, AccessMode mode)
    {
        var size = programs.ActivationsSize(Saved(l, c, r));
        if (size == Bytes.Zero)
        {
            return default;
        }

        string pool = pattern.IsResident(l, c) && !DevicePools.OnePool(residency) ? PoolNames.ResidentActivations : PoolNames.Activations;
        int id = Known(new Key(ObjectKind.Activations, l.Index, c.Index, r.Index), out var key)
            ?? New(
                key,
                $"A/{l}/{c}/{r}",
                $"A/{new Layer(pattern.HomeOf(l, r))}/{c}",
                size,
                pool,
                Lifetime.Transient,
                pattern.LeavesAtOnce(l, c)
            );
        return Whole(Roles.Activations, id, mode);
    }

    public Use Weights(Layer l, AccessMode mode) =>
        Whole(Roles.Weights, Known(new Key(ObjectKind.Weights, l.Index), out var key)
            ?? New(key, $"W/{l}", $"W/{l}", programs.BlockLayout.Size(recipe.Parameters), PoolNames.Weights, Lifetime.State), mode);

    /// <summary>Parameters of embedding or head, or of a block of either.</summary>
    public Use VocabularyWeights(string role, ParameterOwner owner, AccessMode mode) =>
        Whole(role, Vocabulary('W', owner, recipe.Parameters, Lifetime.State), mode);

    /// <summary>Gradients of embedding or head, or of a block of either.</summary>
    public Use VocabularyGradients(string role, ParameterOwner owner, AccessMode mode) =>
        Whole(role, Vocabulary('G', owner, recipe.Gradients, GradientLife), mode);

    /// <summary>What the blocks of the vocabulary say of a chunk's rows of logits.</summary>
    public Use LogitStatistics(Chunk c, Round r, AccessMode mode) =>
        Whole(Roles.LogitStatistics, Known(new Key(ObjectKind.LogitStatistics, Chunk: c.Index, Round: r.Index), out var key)
            ?? New(key, $"stats/{c}/{r}", $"stats/{c}", programs.LogitStatisticsSize, PoolNames.LogitStatistics, Lifetime.Transient), mode);

    /// <summary>Gradient of a chunk's normed head input, summed over the blocks of the vocabulary.</summary>
    public Use GradHead(Chunk c, Round r, AccessMode mode) =>
        Whole(Roles.GradHead, Known(new Key(ObjectKind.GradHead, Chunk: c.Index, Round: r.Index), out var key)
            ?? New(key, $"dH/{c}/{r}", $"dH/{c}", programs.GradHeadSize, PoolNames.GradHeads, Lifetime.Transient), mode);

    public Use Gradients(Layer l, AccessMode mode)
    {
        string pool = l.Index < residency.ResidentGradients ? PoolNames.ResidentGradients : PoolNames.Gradients;
        int id = Known(new Key(ObjectKind.Gradients, l.Index), out var key)
            ?? New(key, $"G/{l}", $"G/{l}", programs.BlockLayout.Size(recipe.Gradients), pool, GradientLife);
        return Whole(Roles.Gradients, id, mode);
    }

    /// <summary>Optimizer state of a piece; pieces count in the order of their updates.</summary>
    public Use Moments(string owner, int piece, int order, Bytes size)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"O/{owner}/P{piece}");
        string pool = order < residency.ResidentPieces ? PoolNames.ResidentMoments : PoolNames.Moments;
        return Whole(
            Roles.Optimizer,
            Get(new Key(ObjectKind.Moments, Chunk: order), name, size, pool, Lifetime.State),
            AccessMode.ReadWrite
        );
    }

    public Use Loss(Chunk c, Round r)
    {
        int id = Get(new Key(ObjectKind.Loss), "loss", DevicePools.LossSize(geometry), PoolNames.Loss, Lifetime.Output);
        return new Use(Roles.Loss, id, new Bytes(4L * ((r.Index * geometry.ChunksPerRound) + c.Index)), new Bytes(4), AccessMode.Write);
    }

    /// <summary>The sum of squares of one parameter object's gradient.</summary>
    public Use Norm(ParameterOwner owner) =>
        new(Roles.Norm, NormObject(), new Bytes(8L * owner.Index(model, programs)), new Bytes(8), AccessMode.Write);

    /// <summary>All sums of squares.</summary>
    public Use Norms() => Whole(Roles.Norm, NormObject(), AccessMode.Read);

    /// <summary>Bytes of scratch; no use where there are none.</summary>
    public Use Scratch(Bytes length, AccessMode mode) =>
        length == Bytes.Zero
            ? default
            : new Use(
                Roles.Scratch,
                Get(new Key(ObjectKind.Scratch), "scratch", scratch, PoolNames.Scratch, Lifetime.Transient),
                Bytes.Zero,
                length,
                mode
            );

    private int NormObject() =>
        Get(new Key(ObjectKind.Norm), "norm", DevicePools.NormSize(model, programs), PoolNames.Norm, Lifetime.Output);

    private int Vocabulary(char what, ParameterOwner owner, DType type, Lifetime life)
    {
        var kind = (what, owner.IsHead) switch
        {
            ('W', false) => ObjectKind.EmbeddingWeights,
            ('W', true) => ObjectKind.HeadWeights,
            (_, false) => ObjectKind.EmbeddingGradients,
            _ => ObjectKind.HeadGradients,
        };
        if (Known(new Key(kind, Chunk: owner.Block?.Index ?? -1), out var key) is { } id)
        {
            return id;
        }

        bool norm = owner.IsHead && owner.Block is null && programs.Vocabulary.AreCut;
        string name = $"{what}/{owner}",
            pool = PoolNames.Vocabulary(what, apart: model.TiedEmbedding || norm, owner.IsHead ? "head" : "embed");
        return New(key, name, name, owner.Layout(programs).Size(type), pool, life);
    }

    private Use Whole(string role, int id, AccessMode mode) => new(role, id, Bytes.Zero, objects[id].Length, mode);

    private int OfGroup(ObjectKind kind, string prefix, Layer l, Chunk c, Round r, long row, string pool)
    {
        int group = c.Index / geometry.ChunksPerGroup;
        if (Known(new Key(kind, l.Index, group, r.Index), out var key) is { } id)
        {
            return id;
        }

        string name = string.Create(CultureInfo.InvariantCulture, $"{prefix}/{l}/G{group}/{r}");
        string home = string.Create(CultureInfo.InvariantCulture, $"{prefix}/{new Layer(pattern.HomeOf(l, r))}/G{group}");
        return New(
            key,
            name,
            home,
            new Bytes(row * geometry.WindowRows),
            pool,
            Lifetime.Transient,
            kind == ObjectKind.Window && pattern.LeavesAtOnce(l, c)
        );
    }

    private Use SegmentRows(
        string role,
        ObjectKind kind,
        string prefix,
        Bytes pieceSize,
        string pool,
        Layer l,
        Chunk c,
        Round r,
        Segment s,
        int firstRow,
        int rows,
        AccessMode mode
    )
    {
        long row = pieceSize.Value / geometry.ChunkTokens;
        int group = c.Index / geometry.ChunksPerGroup;
        if (Known(new Key(kind, l.Index, group, r.Index, s.Index), out var key) is not { } id)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"{prefix}/{l}/G{group}/{s}");
            id = New(
                key,
                $"{name}/{r}",
                role == Roles.GradKv ? $"{prefix}/{s}" : name,
                new Bytes(row * geometry.RowsOf(s)),
                pool,
                Lifetime.Transient
            );
        }

        return new Use(role, id, new Bytes(row * firstRow), new Bytes(row * rows), mode);
    }

    private int Get(Key wanted, string name, Bytes length, string pool, Lifetime life) =>
        Known(wanted, out var key) ?? New(key, name, name, length, pool, life);

    private int? Known(Key wanted, out Key key)
    {
        key = wanted;
        return ids.TryGetValue(wanted, out int id) ? id : null;
    }

    private int New(Key key, string name, string home, Bytes length, string pool, Lifetime life, bool leavesAtOnce = false)
    {
        int id = ids[key] = objects.Count;
        objects.Add(new StepObject(name, home, length, poolIds[pool], life, leavesAtOnce));
        return id;
    }

    private enum ObjectKind
    {
        Table,
        Stream,
        GradStream,
        Window,
        RecomputedWindow,
        GradWindow,
        Activations,
        Weights,
        Gradients,
        Moments,
        EmbeddingWeights,
        EmbeddingGradients,
        HeadWeights,
        HeadGradients,
        LogitStatistics,
        GradHead,
        Loss,
        Norm,
        Scratch,
    }

    /// <summary>What a name is made of: names are written once an object, and objects are asked for at every use.</summary>
    private readonly record struct Key(ObjectKind Kind, int Layer = -1, int Chunk = -1, int Round = -1, int Segment = -1);
}
