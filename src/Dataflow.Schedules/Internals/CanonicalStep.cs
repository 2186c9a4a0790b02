using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Schedules.Internals;

/// <summary>Which op of a step an op is. Owner tells apart the parameter objects of embedding and head, whose ops have no layer.</summary>
internal readonly record struct OpIdentity(
    OpKind Kind,
    Layer? Layer = null,
    VocabularyBlock? Block = null,
    Chunk? Chunk = null,
    Round? Round = null,
    Segment? Segment = null
)
{
    public int Piece { get; init; }

    public SaveSet Wanted { get; init; }

    public ParameterOwner? Owner { get; init; }
}

/// <summary>What an op has to access: bytes of an object.</summary>
internal readonly record struct CanonicalOperand(string Role, ObjectId Object, long Offset, long Length, AccessMode Mode);

/// <summary>
/// The step of a workload in the plainest order there is: round after round forward and back, layer after layer, chunk after chunk. A
/// schedule may issue its ops in another order, but every op has to find the same version of every operand as here. Written from the
/// definition of a step and the block programs alone, so that it can convict what lowering makes.
/// </summary>
/// <param name="workload">What a step is of.</param>
/// <param name="segments">Segments that windows are streamed by; 1: whole windows.</param>
/// <param name="savedBy">What the forward of a layer, chunk and round keeps: a choice of the schedule, like the pieces of updates.</param>
/// <param name="piecesOf">Elements of each piece of a parameter object's updates, in order.</param>
internal sealed partial class CanonicalStep(
    Workload workload,
    int segments,
    Func<Layer, Chunk, Round, SaveSet> savedBy,
    Func<ParameterOwner, IReadOnlyList<long>> piecesOf
)
{
    private readonly ModelConfig model = workload.Model;
    private readonly Recipe recipe = workload.Recipe;
    private readonly Geometry geometry = workload.Geometry;
    private readonly BlockPrograms programs = new(workload.Model, workload.Recipe, workload.Geometry);
    private readonly HashSet<(ObjectId Object, long Offset)> begun = [];
    private readonly List<CanonicalOperand> operands = [];
    private Action<OpIdentity, SaveSet, List<CanonicalOperand>> visit = (_, _, _) => { };

    /// <summary>All parameter objects and their layouts; those that are trained are in the order of their sums of squares.</summary>
    public IEnumerable<(ParameterOwner Owner, ParameterLayout Layout)> Owners =>
        [
            .. programs.EmbeddingLayouts.Select((layout, b) => (OfEmbedding(b), layout)),
            .. model.Layers.SelectMany(l => programs[l].Parts.Select((layout, p) => (new ParameterOwner(l, Part: p), layout))),
            (ParameterOwner.Head, programs.HeadLayout),
            .. programs.HeadBlockLayouts.Select((layout, b) => (ParameterOwner.HeadBlock(new VocabularyBlock(b)), layout)),
            .. programs.ApartLayout is { } apart ? [(ParameterOwner.Apart, apart)] : Array.Empty<(ParameterOwner, ParameterLayout)>(),
        ];

    private bool IsCut => programs.Vocabulary.AreCut;

    private ParameterOwner OfEmbedding(int block) => ParameterOwner.Embedding(IsCut ? new VocabularyBlock(block) : null);

    private IEnumerable<VocabularyBlock?> TableBlocks => IsCut ? programs.Vocabulary.Blocks.Select(b => (VocabularyBlock?)b) : [null];

    private IEnumerable<Chunk> Chunks => Enumerable.Range(0, geometry.ChunksPerRound).Select(c => new Chunk(c));

    /// <summary>Calls <paramref name="op"/> with each op, what it saves, and its operands (in a list that is reused).</summary>
    public void Walk(Action<OpIdentity, SaveSet, List<CanonicalOperand>> op)
    {
        visit = op;
        begun.Clear();
        for (int i = 0; i < geometry.Rounds; i++)
        {
            var r = new Round(i);
            Embed(r);
            for (int l = 0; l < model.LayerCount; l++)
            {
                foreach (var c in Chunks)
                {
                    Forward(new Layer(l), c, r);
                }
            }

            Head(r);
            if (workload.Kind.HasBackward())
            {
                for (int l = model.LayerCount - 1; l >= model.LayersWithoutBackward; l--)
                {
                    foreach (var c in geometry.BackwardOrder())
                    {
                        Backward(new Layer(l), c, r);
                    }
                }

                if (model.HasEmbedBackward)
                {
                    EmbedBackward(r);
                }
            }
        }

        Finish();
    }

    /// <summary>What no backward wants is not kept; keys and values that several layers' backwards want are.</summary>
    private SaveSet SavedBy(Layer l, Chunk c, Round r) =>
        workload.Kind.HasBackward() && l.Index < model.LayersWithoutBackward ? SaveSet.None
        : workload.Kind.HasBackward() && model.KindOf(l).KeepsKv ? savedBy(l, c, r) | SaveSet.Kv
        : savedBy(l, c, r);

    private void Forward(Layer l, Chunk c, Round r)
    {
        var saved = SavedBy(l, c, r);
        if (segments > 1)
        {
            StreamedForward(l, c, r, saved);
            return;
        }

        var source = model.KvSourceOf(l);
        long piece = programs[source].KvPieceSize.Value, row = piece / geometry.ChunkTokens, first = geometry.WindowRow(c);
        var window = Window(ObjectFamily.Windows, source, c, r);
        Block(l, c, r, programs[l].Forward(saved));
        if (workload.Kind == WorkloadKind.Generation)
        {
            // Whichever rows they are, the step adds some to those that are kept.
            Add(Roles.Kv, window, 0, row * geometry.WindowRows, source == l ? AccessMode.ReadWrite : AccessMode.Read);
        }
        else if (source != l)
        {
            Add(Roles.Kv, window, 0, (row * first) + piece, AccessMode.Read);
        }
        else
        {
            Add(Roles.Kv, window, 0, row * first, AccessMode.Read);
            Add(Roles.Kv, window, row * first, piece, AccessMode.Write);
        }

        Add(Roles.Activations, Activations(l, c, r), 0, programs[l].ActivationsSize(saved).Value, AccessMode.Write);
        Add(Roles.Output, Stream(l.Index + 1, c, r), 0, programs.StreamSize.Value, AccessMode.Write);
        LayerInputs(programs[l].Forward(saved), c, r, AccessMode.Read);
        Load(l, r, adds: true);
        Scratch(programs[l].Forward(saved).ScratchLength, AccessMode.Write);
        VisitPieces(new OpIdentity(OpKind.Forward, l, null, c, r), saved, programs[l].Forward(saved));
    }

    private void Backward(Layer l, Chunk c, Round r)
    {
        var saved = SavedBy(l, c, r);
        if (segments > 1)
        {
            StreamedBackward(l, c, r, saved);
            return;
        }

        int position = c.Index % geometry.ChunksPerGroup;
        if (
            geometry.ChunksPerGroup > 1
            && position == geometry.ChunksPerGroup - 1
            && !saved.HasFlag(SaveSet.Kv)
            && programs[l].Kind.HasWindow
        )
        {
            for (int i = c.Index - position; i <= c.Index; i++)
            {
                RecomputeOwnRows(l, new Chunk(i), r);
            }
        }

        var source = model.KvSourceOf(l);
        long row = programs[source].KvPieceSize.Value / geometry.ChunkTokens,
            gradRow = programs[source].GradKvPieceSize.Value / geometry.ChunkTokens;
        long first = geometry.WindowRow(c),
            rows = first + geometry.ChunkTokens;
        var window = Window(saved.HasFlag(SaveSet.Kv) ? ObjectFamily.Windows : ObjectFamily.RecomputedWindows, source, c, r);
        bool repeats = programs[l].NeedsRecompute(saved);
        if (repeats)
        {
            bool ownKv = programs[l].Missing(saved).HasFlag(SaveSet.Kv);
            Block(l, c, r, programs[l].Recompute(saved));
            Add(
                Roles.Kv,
                window,
                ownKv ? row * first : 0,
                ownKv ? programs[l].KvPieceSize.Value : row * rows,
                ownKv ? AccessMode.Write : AccessMode.Read
            );
            Add(Roles.Activations, Activations(l, c, r), 0, programs[l].ActivationsSize(saved).Value, AccessMode.Read);
            LayerInputs(programs[l].Recompute(saved), c, r, AccessMode.Read);
            Scratch(programs[l].Backward(saved).ScratchLength, AccessMode.Write);
            var recompute = new OpIdentity(OpKind.Recompute, l, null, c, r) { Wanted = programs[l].Missing(saved) };
            VisitPieces(recompute, saved, programs[l].Recompute(saved));
        }

        Block(l, c, r, programs[l].Backward(saved));
        Add(Roles.Kv, window, 0, row * rows, AccessMode.Read);
        Add(
            Roles.Activations,
            Activations(l, c, r),
            0,
            programs[l].ActivationsSize(saved).Value,
            saved.HasFlag(SaveSet.GateUp) ? AccessMode.ReadWrite : AccessMode.Read
        );
        Add(Roles.GradStream, GradStream(c, r), 0, programs.StreamSize.Value, AccessMode.ReadWrite);
        Accumulate(Roles.GradKv, Window(ObjectFamily.GradWindows, source, c, r), 0, gradRow * rows);
        foreach (int p in programs[l].PartsOf(programs[l].Backward(saved)))
        {
            Accumulate(Roles.GradientsOf(p), Gradients(new ParameterOwner(l, Part: p)), 0, programs[l].GradientsSize(p).Value);
        }

        LayerInputs(programs[l].Backward(saved), c, r, AccessMode.Read);
        Load(l, r, adds: false);
        Scratch(programs[l].Backward(saved).ScratchLength, repeats ? AccessMode.ReadWrite : AccessMode.Write);
        VisitPieces(new OpIdentity(OpKind.Backward, l, null, c, r), saved, programs[l].Backward(saved));
    }

    private void RecomputeOwnRows(Layer l, Chunk c, Round r)
    {
        var window = Window(ObjectFamily.RecomputedWindows, l, c, r);
        long first = programs[l].KvPieceSize.Value / geometry.ChunkTokens * geometry.WindowRow(c);
        Block(l, c, r, programs[l].RecomputeKv());
        Add(Roles.Kv, window, 0, programs[l].Kind.HasState ? first : 0, AccessMode.Read);
        Add(Roles.Kv, window, first, programs[l].KvPieceSize.Value, AccessMode.Write);
        Scratch(programs[l].RecomputeKv().ScratchLength, AccessMode.Write);
        Visit(new OpIdentity(OpKind.Recompute, l, null, c, r) { Wanted = SaveSet.Kv }, savedBy(l, c, r));
    }

    /// <summary>Norms of all gradients, if they are clipped, then the updates: each gradient is final by now.</summary>
    private void Finish()
    {
        if (!workload.Kind.Updates())
        {
            return;
        }

        bool clipped = workload.Kind == WorkloadKind.ClippedTraining;
        var trained = Owners.Where(o => o.Layout.IsTrained).ToList();
        int index = 0;
        foreach (var (owner, layout) in clipped ? trained : [])
        {
            Add(Roles.Gradients, Gradients(owner), 0, layout.Size(recipe.Gradients).Value, AccessMode.Read);
            Add(Roles.Norm, new ObjectId(ObjectFamily.Norms), 8L * index++, 8, AccessMode.Write);
            Scratch(programs.NormScratch, AccessMode.Write);
            Visit(new OpIdentity(OpKind.Norm, owner.Layer, owner.Block) { Owner = owner });
        }

        foreach (var (owner, layout) in trained)
        {
            var state = workload.StateOf(layout);
            long first = 0, g = recipe.Gradients.Size(), w = recipe.Parameters.Size();
            var pieces = piecesOf(owner);
            for (int p = 0; p < pieces.Count; p++)
            {
                Add(Roles.Gradients, Gradients(owner), first * g, pieces[p] * g, AccessMode.Read);
                Add(Roles.Weights, new ObjectId(ObjectFamily.Weights) { Owner = owner }, first * w, pieces[p] * w, AccessMode.ReadWrite);
                Add(
                    Roles.Optimizer,
                    new ObjectId(ObjectFamily.Moments) { Owner = owner, Piece = p },
                    0,
                    state.Size(first, pieces[p]).Value,
                    AccessMode.ReadWrite
                );
                Add(Roles.Norm, new ObjectId(ObjectFamily.Norms), 0, clipped ? 8L * trained.Count : 0, AccessMode.Read);
                Scratch(state.Scratch(first, pieces[p]), AccessMode.Write);
                Visit(new OpIdentity(OpKind.Update, owner.Layer, owner.Block) { Piece = p, Owner = owner });
                first += pieces[p];
            }
        }
    }

    private static ObjectId Stream(int layer, Chunk c, Round r) =>
        new(ObjectFamily.Streams)
        {
            Layer = new Layer(layer),
            Chunk = c,
            Round = r,
        };

    private static ObjectId GradStream(Chunk c, Round r) => new(ObjectFamily.GradStreams) { Chunk = c, Round = r };

    private static ObjectId Activations(Layer l, Chunk c, Round r) =>
        new(ObjectFamily.Activations)
        {
            Layer = l,
            Chunk = c,
            Round = r,
        };

    private static ObjectId Gradients(ParameterOwner owner) => new(ObjectFamily.Gradients) { Owner = owner };

    private ObjectId Window(ObjectFamily family, Layer l, Chunk c, Round r) =>
        new(family)
        {
            Layer = l,
            Group = c.Index / geometry.ChunksPerGroup,
            Round = r,
        };

    /// <summary>What every part of a block that starts from its input reads.</summary>
    private void Block(Layer l, Chunk c, Round r, BlockProgram program)
    {
        Table(c, r);
        LayerWeights(l, program);
        Add(Roles.Input, Stream(l.Index, c, r), 0, programs.StreamSize.Value, AccessMode.Read);
    }

    /// <summary>What a sparse layer adds to the load of the round's experts, or reads of it; null is the loss.</summary>
    private void Load(Layer? l, Round r, bool adds)
    {
        bool sparse = l is not { } layer || model.KindOf(layer).Experts is not null;
        long length = sparse && workload.Kind != WorkloadKind.Generation ? model.LoadSize.Value : 0;
        var load = new ObjectId(ObjectFamily.Loads) { Round = r };
        Add(Roles.Load, load, 0, length, adds && length > 0 ? Adding(load, 0) : AccessMode.Read);
    }

    private void Table(Chunk c, Round r) =>
        Add(Roles.Table, new ObjectId(ObjectFamily.Tables) { Chunk = c, Round = r }, 0, programs.TableSize.Value, AccessMode.Read);

    /// <summary>Those objects of a layer's parameters that a program names.</summary>
    private void LayerWeights(Layer l, BlockProgram program)
    {
        foreach (int p in programs[l].PartsOf(program))
        {
            Weights(Roles.WeightsOf(p), new ParameterOwner(l, Part: p), programs[l].Parts[p]);
        }
    }

    private void Weights(string role, ParameterOwner owner, ParameterLayout layout) =>
        Add(role, new ObjectId(ObjectFamily.Weights) { Owner = owner }, 0, layout.SizeIn(recipe).Value, AccessMode.Read);

    private void Scratch(Bytes length, AccessMode mode) => Add(Roles.Scratch, new ObjectId(ObjectFamily.Scratch), 0, length.Value, mode);

    private void Accumulate(string role, ObjectId target, long offset, long length) =>
        Add(role, target, offset, length, Adding(target, offset));

    /// <summary>The first contribution of a step overwrites, the others add to it.</summary>
    private AccessMode Adding(ObjectId target, long offset) => begun.Add((target, offset)) ? AccessMode.Write : AccessMode.ReadWrite;

    private void Add(string role, ObjectId target, long offset, long length, AccessMode mode)
    {
        if (length > 0)
        {
            operands.Add(new CanonicalOperand(role, target, offset, length, mode));
        }
    }

    private void Visit(OpIdentity op, SaveSet saved = SaveSet.None)
    {
        visit(op, saved, operands);
        operands.Clear();
    }
}
