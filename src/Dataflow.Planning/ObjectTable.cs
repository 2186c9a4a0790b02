using System.Collections.Immutable;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// The objects of a step by name, and the pools that hold them. Pools are made on first use, so that what a step does not need takes
/// no memory.
/// </summary>
internal sealed class ObjectTable(ModelConfig model, Recipe recipe, Geometry geometry, WorkloadKind kind, BlockPrograms programs, Residency residency)
{
    private readonly List<StepObject> objects = [];
    private readonly List<Pool> pools = [];
    private readonly Dictionary<string, int> objectIds = [];
    private readonly Dictionary<string, int> poolIds = [];

    public ImmutableArray<StepObject> Objects => [.. objects];

    public ImmutableArray<Pool> Pools => [.. pools];

    private Lifetime GradientLife => kind == WorkloadKind.Gradients ? Lifetime.Output : Lifetime.Transient;

    public Use Table(Chunk c, Round r) =>
        Whole(Roles.Table, Get($"T/{c}/{r}", $"T/{c}/{r}", geometry.TableSize, "T", geometry.ChunksPerRound, Lifetime.Input), AccessMode.Read);

    /// <summary>Residual stream at the entry of a layer; the layer after the last is the head.</summary>
    public Use Stream(string role, Layer l, Chunk c, Round r, AccessMode mode) =>
        Whole(role, Get($"X/{l}/{c}/{r}", $"X/{l}/{c}", programs.StreamSize, "X", StreamSlots(), Lifetime.Transient), mode);

    public Use GradStream(Chunk c, Round r, AccessMode mode) =>
        Whole(Roles.GradStream, Get($"dX/{c}/{r}", $"dX/{c}", programs.StreamSize, "dX", residency.GradStreamSlots, Lifetime.Transient), mode);

    /// <summary>Rows of a group's context window. The window that a backward recomputes is an object of its own.</summary>
    public Use Window(Layer l, Chunk c, Round r, bool recomputed, int firstRow, int rows, AccessMode mode)
    {
        int group = c.Index / geometry.ChunksPerGroup;
        string name = string.Create(CultureInfo.InvariantCulture, $"{(recomputed ? "KVr" : "KV")}/{l}/G{group}");
        long row = programs.KvPieceSize.Value / geometry.ChunkTokens;
        int windows = residency.WindowSlots + residency.ResidentGroups;
        int id = Get($"{name}/{r}", name, new Bytes(row * geometry.WindowRows), "KV", Math.Min(windows, Groups), Lifetime.Transient);
        return new Use(Roles.Kv, id, new Bytes(row * firstRow), new Bytes(row * rows), mode);
    }

    public Use GradWindow(Layer l, Chunk c, Round r, int rows, AccessMode mode)
    {
        int group = c.Index / geometry.ChunksPerGroup;
        string name = string.Create(CultureInfo.InvariantCulture, $"dKV/{l}/G{group}");
        long row = programs.GradKvPieceSize.Value / geometry.ChunkTokens;
        int id = Get($"{name}/{r}", name, new Bytes(row * geometry.WindowRows), "dKV", 1, Lifetime.Transient);
        return new Use(Roles.GradKv, id, Bytes.Zero, new Bytes(row * rows), mode);
    }

    /// <summary>Saved activations; none where the save set needs no object.</summary>
    public ImmutableArray<Use> Activations(Layer l, Chunk c, Round r, AccessMode mode)
    {
        var saved = Saved(l, c);
        var size = programs.ActivationsSize(saved);
        if (size == Bytes.Zero)
        {
            return [];
        }

        int resident = residency.ResidentGroups * geometry.ChunksPerGroup;
        int travelling = (model.LayerCount * geometry.ChunksPerRound) - resident;
        var (pool, slots) = residency.Travelling == TensorSet.All
            ? ("A", Math.Min(residency.ActivationSlots + resident, travelling + resident))
            : IsResident(l, c) ? ("A.resident", resident) : ("A", Math.Min(residency.ActivationSlots, travelling));
        return [Whole(Roles.Activations, Get($"A/{l}/{c}/{r}", $"A/{l}/{c}", size, pool, slots, Lifetime.Transient), mode)];
    }

    /// <summary>What the forward of that chunk keeps.</summary>
    public TensorSet Saved(Layer l, Chunk c) => IsResident(l, c) ? TensorSet.All : residency.Travelling;

    public Use Weights(Layer l, AccessMode mode) =>
        Whole(Roles.Weights, Get($"W/{l}", $"W/{l}", programs.BlockLayout.Size(recipe.Parameters), "W", residency.WeightSlots, Lifetime.State), mode);

    public Use EmbeddingWeights(string role, AccessMode mode) => Whole(role, Vocabulary("W/embed", programs.EmbeddingLayout, recipe.Parameters, Lifetime.State), mode);

    public Use HeadWeights(AccessMode mode) => Whole(Roles.Weights, Vocabulary("W/head", programs.HeadLayout, recipe.Parameters, Lifetime.State), mode);

    public Use EmbeddingGradients(string role, AccessMode mode) => Whole(role, Vocabulary("G/embed", programs.EmbeddingLayout, recipe.Gradients, GradientLife), mode);

    public Use HeadGradients(AccessMode mode) => Whole(Roles.Gradients, Vocabulary("G/head", programs.HeadLayout, recipe.Gradients, GradientLife), mode);

    public Use Gradients(Layer l, AccessMode mode)
    {
        var (pool, slots) = l.Index < residency.ResidentGradients
            ? ("G.resident", residency.ResidentGradients)
            : ("G", Math.Min(residency.GradientSlots, model.LayerCount - residency.ResidentGradients));
        return Whole(Roles.Gradients, Get($"G/{l}", $"G/{l}", programs.BlockLayout.Size(recipe.Gradients), pool, slots, GradientLife), mode);
    }

    /// <summary>Both moments of a piece.</summary>
    public Use Moments(string owner, int piece, int order, Bytes size, Bytes slot, int pieces)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"O/{owner}/P{piece}");
        var (pool, slots) = order < residency.ResidentPieces
            ? ("O.resident", residency.ResidentPieces)
            : ("O", Math.Min(residency.OptimizerSlots, pieces - residency.ResidentPieces));
        return Whole(Roles.Optimizer, Get(name, name, size, pool, slots, Lifetime.State, slot), AccessMode.ReadWrite);
    }

    public Use Loss(Chunk c, Round r)
    {
        var length = new Bytes(4L * geometry.ChunksPerRound * geometry.Rounds);
        int id = Get("loss", "loss", length, "loss", 1, Lifetime.Output);
        return new Use(Roles.Loss, id, new Bytes(4L * ((r.Index * geometry.ChunksPerRound) + c.Index)), new Bytes(4), AccessMode.Write);
    }

    public ImmutableArray<Use> Scratch(Bytes length, AccessMode mode)
    {
        if (length == Bytes.Zero)
        {
            return [];
        }

        var size = ScratchSize();
        return [new Use(Roles.Scratch, Get("scratch", "scratch", size, "scratch", 1, Lifetime.Transient), Bytes.Zero, length, mode)];
    }

    private int Groups => model.LayerCount * geometry.GroupsPerRound;

    private bool IsResident(Layer l, Chunk c) =>
        (l.Index * geometry.GroupsPerRound) + (c.Index / geometry.ChunksPerGroup) >= Groups - residency.ResidentGroups;

    private int StreamSlots() => Math.Min(
        residency.StreamSlots + (residency.ResidentGroups * geometry.ChunksPerGroup), (model.LayerCount + 1) * geometry.ChunksPerRound);

    private Bytes ScratchSize()
    {
        var size = Bytes.Max(programs.Head().ScratchLength, programs.RecomputeKv().ScratchLength);
        foreach (var saved in residency.ResidentGroups > 0 ? [residency.Travelling, TensorSet.All] : new[] { residency.Travelling })
        {
            size = Bytes.Max(size, Bytes.Max(programs.Forward(saved).ScratchLength, programs.Backward(saved).ScratchLength));
        }

        return size;
    }

    private int Vocabulary(string name, ParameterLayout layout, DType type, Lifetime life)
    {
        // A tied head is a single norm vector: it gets a slot of its own, and the table too.
        string pool = name[..1] + "." + (model.TiedEmbedding ? name[2..] : "vocabulary");
        var slot = model.TiedEmbedding ? layout.Size(type) : Bytes.Max(programs.EmbeddingLayout.Size(type), programs.HeadLayout.Size(type));
        int slots = model.TiedEmbedding ? 1 : residency.VocabularyResident ? 2 : 1;
        return Get(name, name, layout.Size(type), pool, slots, life, slot);
    }

    private Use Whole(string role, int id, AccessMode mode) => new(role, id, Bytes.Zero, objects[id].Length, mode);

    private int Get(string name, string home, Bytes length, string pool, int slots, Lifetime life, Bytes? slotLength = null)
    {
        if (!objectIds.TryGetValue(name, out int id))
        {
            if (!poolIds.TryGetValue(pool, out int poolId))
            {
                poolIds[pool] = poolId = pools.Count;
                pools.Add(new Pool(pool, (slotLength ?? length).Aligned, slots));
            }

            objectIds[name] = id = objects.Count;
            objects.Add(new StepObject(name, home, length, poolId, life));
        }

        return id;
    }
}
