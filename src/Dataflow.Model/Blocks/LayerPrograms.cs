using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// The block programs of the layers of one kind, laid out: for every compute op the kernel calls and the place of each tensor. A pure
/// function of model, kind, recipe, geometry and save set, so that every device and the planner agree to the byte.
/// </summary>
public sealed partial class LayerPrograms
{
    private readonly ModelConfig model;
    private readonly Recipe recipe;
    private readonly Geometry geometry;
    private readonly TensorShapes shapes;
    private readonly ProgramLayout layout;
    private readonly Dictionary<(string, SaveSet), BlockProgram> cache = [];
    private readonly Dictionary<BlockProgram, ImmutableArray<int>> partsOf = new(ReferenceEqualityComparer.Instance);
    private readonly ImmutableArray<int> allParts;
    private readonly ILookup<WeightName, StoredMatrix> stored;
    private readonly Bytes?[] activationsSizes = new Bytes?[(int)SaveSet.All + 1];

    /// <summary>Programs are made when first asked for.</summary>
    internal LayerPrograms(ModelConfig model, LayerKind kind, Recipe recipe, Geometry geometry)
    {
        (this.model, Kind, this.recipe, this.geometry) = (model, kind, recipe, geometry);
        shapes = new TensorShapes(model, recipe, geometry, kind);
        layout = new ProgramLayout(shapes, (operand, _, _) => WeightPlace(operand));
        experts = ExpertGroups.Of(model, kind, geometry);
        Parts = ParameterLayout.Block(model, kind).Parts(experts);
        stored = Parts
            .Where(p => p.TypeIn(recipe) != recipe.Parameters)
            .SelectMany(p => StoredMatrix.Of(p, p.TypeIn(recipe)))
            .ToLookup(s => s.Tensor.Name);
        allParts = [.. Enumerable.Range(0, Parts.Length)];
        ofExperts = [.. allParts.Where(IsOfExperts)];
        KvPieceSize = kind.HasWindow ? shapes.Of(TensorName.KvPiece).Size : Bytes.Zero;
        GradKvPieceSize = kind.HasWindow ? shapes.Of(TensorName.GradKvPiece).Size : Bytes.Zero;
    }

    /// <summary>What these layers have in common.</summary>
    public LayerKind Kind { get; }

    /// <summary>Layouts of the objects that a layer's parameters lie in, in memory order.</summary>
    public ImmutableArray<ParameterLayout> Parts { get; }

    /// <summary>Bytes of the parameters in one of a layer's objects; none where it has fewer.</summary>
    public Bytes WeightsSize(int part) => part < Parts.Length ? Parts[part].SizeIn(recipe) : Bytes.Zero;

    /// <summary>Bytes of their gradients; none of what is frozen.</summary>
    public Bytes GradientsSize(int part) =>
        part < Parts.Length && Parts[part].IsTrained ? Parts[part].Size(recipe.Gradients) : Bytes.Zero;

    /// <summary>Indices of the objects whose parameters, or their gradients, a program names.</summary>
    public ImmutableArray<int> PartsOf(BlockProgram program)
    {
        if (Parts.Length == 1)
        {
            return allParts;
        }

        if (!partsOf.TryGetValue(program, out var known))
        {
            var roles = program.Places.Values.Select(p => p.Role).ToHashSet();
            known = [.. allParts.Where(p => roles.Contains(Roles.WeightsOf(p)) || roles.Contains(Roles.GradientsOf(p)))];
            partsOf[program] = known;
        }

        return known;
    }

    /// <summary>Bytes of one chunk's K and V; none of layers that share those of others.</summary>
    public Bytes KvPieceSize { get; }

    /// <summary>Bytes of one chunk's dK and dV (fp32), likewise.</summary>
    public Bytes GradKvPieceSize { get; }

    /// <summary>Bytes of the activation object (input and K,V are objects of their own).</summary>
    public Bytes ActivationsSize(SaveSet saved) => activationsSizes[(int)saved] ??= Layout(saved).Length;

    /// <summary>Whether a backward needs a recompute op before it; otherwise its own norms are all that is repeated.</summary>
    public bool NeedsRecompute(SaveSet saved) => Missing(saved) != SaveSet.None;

    /// <summary>What a recompute op must yield for the backward of a chunk, K,V of a window apart.</summary>
    public SaveSet Missing(SaveSet saved) => Kind.Keepable & ~saved & ~(KvIsThere ? SaveSet.Kv : SaveSet.None);

    /// <summary>Whatever is kept, K and V stand in their window before the backward of a chunk.</summary>
    private bool KvIsThere => geometry.ChunksPerGroup > 1 || Kind.KeepsKv;

    /// <summary>A block's forward.</summary>
    public BlockProgram Forward(SaveSet saved) => Cached("forward", saved, static (p, saved) =>
    {
        var calls = p.geometry.Cache is null ? DecoderBlock.Forward(p.model, p.Kind) : BlockCalls.CachedForward(p.model, p.Kind);
        return p.Lay(calls, calls, p.Layout(saved).Offsets);
    });

    /// <summary>What the backward lacks, left in the scratch that the backward reads.</summary>
    public BlockProgram Recompute(SaveSet saved) => Cached("recompute", saved, static (p, saved) =>
    {
        var (recompute, backward) = p.Halves(saved);
        return p.Lay(recompute, [.. recompute, .. backward], p.Layout(saved).Offsets);
    });

    /// <summary>K and V of one chunk alone, into the window, before the backward of its group.</summary>
    public BlockProgram RecomputeKv() => Cached("recompute-kv", SaveSet.None, static (p, _) =>
    {
        var available = new HashSet<TensorName> { TensorName.Input };
        var calls = BlockCalls.Recompute(p.model, p.Kind, [TensorName.KvPiece], available);
        return p.Lay(calls, calls, ImmutableDictionary<TensorName, Bytes>.Empty);
    });

    /// <summary>A block's backward; it finds what was recomputed in scratch.</summary>
    public BlockProgram Backward(SaveSet saved) => Cached("backward", saved, static (p, saved) =>
    {
        var (recompute, backward) = p.Halves(saved);
        ImmutableArray<KernelCall> all = [.. recompute, .. backward];
        return p.Lay(p.NeedsRecompute(saved) ? backward : all, all, p.Layout(saved).Offsets);
    });

    // What makes a program captures nothing: planning asks for one at every op.
    private BlockProgram Cached(string name, SaveSet saved, Func<LayerPrograms, SaveSet, BlockProgram> make) =>
        cache.TryGetValue((name, saved), out var program) ? program : cache[(name, saved)] = make(this, saved);

    private (ImmutableArray<KernelCall> Recompute, ImmutableArray<KernelCall> Backward) Halves(SaveSet saved)
    {
        var backward = DecoderBlock.Backward(model, Kind);
        var available = new HashSet<TensorName>(DecoderBlock.Saved(model, Kind, saved)) { TensorName.Input };
        if (saved.HasFlag(SaveSet.Kv) || KvIsThere)
        {
            available.UnionWith([TensorName.KvPiece, TensorName.KvWindow]);
        }

        var produced = DecoderBlock.Forward(model, Kind).SelectMany(c => c.Writes).Select(o => o.Tensor).ToHashSet();
        var wanted = backward.SelectMany(c => c.Reads.Concat(c.Updates)).Select(o => o.Tensor)
            .Select(t => t == TensorName.KvWindow ? TensorName.KvPiece : t)
            .Where(t => produced.Contains(t) && !IsMadeByBackward(t));
        return (BlockCalls.Recompute(model, Kind, wanted, available), backward);
    }

    /// <summary>A backward has no use for it, or computes it itself.</summary>
    private static bool IsMadeByBackward(TensorName tensor) =>
        tensor is TensorName.Output or TensorName.Ffn or TensorName.ExpertFfn or TensorName.LowRank or TensorName.DoraScales
            or TensorName.Dropped;

    private (ImmutableDictionary<TensorName, Bytes> Offsets, Bytes Length) Layout(SaveSet saved)
    {
        var offsets = ImmutableDictionary.CreateBuilder<TensorName, Bytes>();
        var length = Bytes.Zero;
        foreach (var tensor in DecoderBlock.Saved(model, Kind, saved))
        {
            offsets[tensor] = length;
            length += shapes.Of(tensor).Size.Aligned;
        }

        return (offsets.ToImmutable(), length);
    }

    private BlockProgram Lay(
        ImmutableArray<KernelCall> calls,
        ImmutableArray<KernelCall> lifetimes,
        ImmutableDictionary<TensorName, Bytes> saved
    ) =>
        layout.Lay(InGroups(Provided(calls)), InGroups(Provided(lifetimes)), saved) with { Kind = Kind };

    // Weights dense, and attention by whom the geometry says.
    private ImmutableArray<KernelCall> Provided(ImmutableArray<KernelCall> calls) =>
        BlockCalls.WithCudnn(BlockCalls.WithDenseWeights(calls, stored), shapes.CudnnForward, shapes.CudnnBackward);

    private TensorPlace WeightPlace(Operand operand)
    {
        if (operand.Tensor is TensorName.LowRank or TensorName.GradLowRank)
        {
            int ranks = Kind.Adapter!.RanksOf(operand.Weight);
            return AdaptedRows.IsOfExperts(operand.Weight) ? shapes.LowRankOfExperts(ranks) : shapes.LowRank(ranks);
        }

        if (operand.Tensor == TensorName.Dropped)
        {
            return shapes.LowRank((int)Parts.First(p => p.Has(operand.Weight))[operand.Weight].Columns);
        }

        if (operand.Tensor == TensorName.DoraScales)
        {
            return TensorShapes.DoraScales(Kind.Adapter!.Parts.First(p => p.B == operand.Weight).Rows);
        }

        bool gradient = operand.Tensor == TensorName.WeightGradient;
        int part = 0;
        while (!Parts[part].Has(operand.Weight))
        {
            part++;
        }

        part = IsOfExperts(part) ? allParts.Where(p => Parts[p].Has(operand.Weight)).ElementAt(operand.Part) : part;

        var tensor = Parts[part][operand.Weight];
        if (operand.Tensor == TensorName.DenseWeight)
        {
            return new TensorPlace(Roles.Scratch, Bytes.Zero, recipe.Parameters, tensor.Rows, tensor.Columns);
        }

        var type = gradient ? recipe.Gradients : Parts[part].TypeIn(recipe);
        if (type.IsByTensor())
        {
            var own = stored[operand.Weight].ElementAt(operand.Part);
            return new TensorPlace(Roles.WeightsOf(part), own.Offset, type, own.Rows, tensor.Columns);
        }

        return new TensorPlace(
            gradient ? Roles.GradientsOf(part) : Roles.WeightsOf(part),
            type.SizeOf(tensor.ElementOffset),
            type,
            tensor.Rows,
            tensor.Columns
        );
    }
}
