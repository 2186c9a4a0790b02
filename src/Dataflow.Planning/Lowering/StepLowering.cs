using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// The computation of a step in program order. Per round: embedding; every layer over all chunks; head; every layer back over all
/// chunks (<see cref="Geometry.BackwardOrder"/>); embedding back. A vocabulary that is cut passes embedding and head block by block. In the
/// last round each parameter object is updated as soon as its gradient is final.
/// </summary>
internal sealed partial class StepLowering
{
    private readonly Workload workload;
    private readonly Geometry geometry;
    private readonly ModelConfig model;
    private readonly BlockPrograms programs;
    private readonly OptimizerPieces pieces;
    private readonly ImmutableArray<Pool> pools;
    private readonly ObjectTable table;
    private readonly int segments;
    private readonly List<StepOp> ops = [];
    private int piecesUsed;

    private StepLowering(Workload workload, SizedResidency sized, ImmutableArray<Pool> pools)
    {
        (this.workload, programs, pieces, this.pools) = (workload, sized.Programs, sized.Sizes.Optimizer, pools);
        (model, geometry) = (workload.Model, workload.Geometry);
        segments = sized.Residency.WindowSegments;
        Check(sized.Residency);
        table = new ObjectTable(sized, pools);
    }

    private void Check(Residency residency)
    {
        if (
            segments > 1
            && (
                geometry.ExpertGroups is not null
                || segments != geometry.SegmentsUpTo(segments)
                || residency.ResidentChunks > 0
                || !LayerPrograms.MayStream(residency.Travelling)
                || !model.MayStreamWindows
            )
        )
        {
            throw new ArgumentException($"windows cannot be streamed under {residency}", nameof(residency));
        }

        bool parts = geometry.ChunksPerGroup > 1 && (residency.ResidentsSpread || residency.ResidentChunks % geometry.ChunksPerGroup != 0);
        if (parts && residency.ResidentChunks > 0 && ((residency.ResidentSet ^ residency.Travelling) & SaveSet.Kv) != 0)
        {
            throw new ArgumentException($"chunks of one window differ in K and V under {residency}", nameof(residency));
        }

        if (residency.MoreSixteenths > 0 && (residency.TravellingMore & residency.Travelling) != residency.Travelling)
        {
            throw new ArgumentException($"what keeps more does not keep what the others keep under {residency}", nameof(residency));
        }
    }

    /// <summary>The step's ops, objects and pools.</summary>
    /// <param name="workload">What is computed.</param>
    /// <param name="programs">Of the workload.</param>
    /// <param name="residency">What stays and what travels.</param>
    /// <param name="poolsOfOther">Pools made for another kind of step of the same geometry; null: its own.</param>
    public static StepProgram Lower(
        Workload workload,
        BlockPrograms programs,
        Residency residency,
        ImmutableArray<Pool>? poolsOfOther = null
    )
    {
        var sized = new SizedResidency(workload, programs, residency);
        var lowering = new StepLowering(workload, sized, poolsOfOther ?? ObjectFamilies.Pools(sized));
        lowering.LowerRounds(sized.Pattern.Interleaves);
        return new StepProgram([.. lowering.ops], lowering.table.Objects, lowering.pools);
    }

    private Layer HeadEntry => new(model.LayerCount);

    private IEnumerable<Chunk> Chunks => Enumerable.Range(0, geometry.ChunksPerRound).Select(c => new Chunk(c));

    private bool IsLast(Round r) => r.Index == geometry.Rounds - 1;

    private void LowerRounds(bool interleaved)
    {
        for (int i = 0; i < geometry.Rounds; i++)
        {
            var r = new Round(i);
            if (i == 0 || !interleaved)
            {
                Embed(r);
                if (interleaved)
                {
                    Embed(new Round(1));
                }

                ForwardPass(r);
            }

            Head(r, IsLast(r));
            if (interleaved && !IsLast(r))
            {
                BackwardBesideForward(r, new Round(i + 1));
            }
            else if (workload.Kind.HasBackward())
            {
                BackwardPass(r, interleaved);
            }
        }
    }

    private void ForwardPass(Round r)
    {
        for (int l = 0; l < model.LayerCount; l++)
        {
            foreach (var c in Chunks)
            {
                Forward(new Layer(l), c, r);
            }
        }
    }

    private void BackwardPass(Round r, bool interleaved)
    {
        for (int l = model.LayerCount - 1; l >= model.LayersWithoutBackward; l--)
        {
            if (interleaved && l == model.LayerCount / 2 && EmbedsLate)
            {
                EmbedBackward(new Round(r.Index - 1), last: false);
            }

            foreach (var c in geometry.BackwardOrder())
            {
                Backward(new Layer(l), c, r);
            }

            foreach (var owner in Trained(new Layer(l)).Where(o => !IsUpdatedBetween(o, r)))
            {
                GradientIsFinal(IsLast(r), owner);
            }
        }

        EmbedBackward(r, IsLast(r));
        if (IsLast(r) && workload.Kind == WorkloadKind.ClippedTraining)
        {
            UpdateAll();
        }
    }

    // A tied table's gradient also comes from the head, in the order of the rounds.
    private bool EmbedsLate => !model.TiedEmbedding;

    /// <summary>
    /// Chunk by chunk in turn: the one round from the last layer to the first, the next from the first to the last. Head and embedding
    /// would follow each other where rounds meet, and wait for each other's parameters and gradients; so the embedding has its turn in the
    /// middle, forward for the round after, backward for the round before.
    /// </summary>
    private void BackwardBesideForward(Round back, Round next)
    {
        for (int l = 0; l < model.LayerCount; l++)
        {
            if (l == model.LayerCount / 2)
            {
                if (EmbedsLate && back.Index > 0)
                {
                    EmbedBackward(new Round(back.Index - 1), last: false);
                }

                if (!IsLast(next))
                {
                    Embed(new Round(next.Index + 1));
                }
            }

            foreach (var (b, f) in geometry.BackwardOrder().Zip(Chunks))
            {
                Backward(new Layer(model.LayerCount - 1 - l), b, back);
                Forward(new Layer(l), f, next);
            }
        }

        if (!EmbedsLate)
        {
            EmbedBackward(back, last: false);
        }
    }

    private void Forward(Layer l, Chunk c, Round r)
    {
        if (segments > 1)
        {
            StreamedForward(l, c, r);
            return;
        }

        var saved = table.Saved(l, c, r);
        if (workload.Kind == WorkloadKind.Generation)
        {
            ForwardWithCache(l, c, r, saved);
            return;
        }

        AddPieces(OpKind.Forward, (l, c, r), programs[l].Forward(saved),
        [
            table.Table(c, r),
            .. Weights(l, programs[l].Forward(saved)),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            Shares(l) ? table.Window(l, c, r, recomputed: false, 0, geometry.WindowRow(c) + geometry.ChunkTokens, AccessMode.Read)
                : Context(l, c, r, recomputed: false),
            Shares(l) ? default
                : table.Window(l, c, r, recomputed: false, geometry.WindowRow(c), geometry.ChunkTokens, AccessMode.Write),
            table.Activations(l, c, r, AccessMode.Write),
            table.Stream(Roles.Output, new Layer(l.Index + 1), c, r, AccessMode.Write),
            table.LayerInputs(programs[l].Forward(saved), c, r, AccessMode.Read),
            LoadOfForward(l, c, r),
            table.Scratch(programs[l].Forward(saved).ScratchLength, AccessMode.Write),
        ], saved);
    }

    /// <summary>A round's first chunk in its first sparse layer begins the load, the others add to it.</summary>
    private Use LoadOfForward(Layer l, Chunk c, Round r) =>
        !Loads(l) ? default
        : table.Load(r, c.Index == 0 && model.Layers.First(Loads) == l ? AccessMode.Write : AccessMode.ReadWrite);

    private bool Loads(Layer l) => model.HasRouterLosses && programs[l].Kind.Experts is not null;

    /// <summary>Which rows of the cache the chunk adds, and which it reads, is known when the step runs.</summary>
    private void ForwardWithCache(Layer l, Chunk c, Round r, SaveSet saved) =>
        AddPieces(OpKind.Forward, (l, c, r), programs[l].Forward(saved),
        [
            table.Table(c, r),
            .. Weights(l, programs[l].Forward(saved)),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            table.Window(l, c, r, recomputed: false, 0, geometry.WindowRows, Shares(l) ? AccessMode.Read : AccessMode.ReadWrite),
            table.Activations(l, c, r, AccessMode.Write),
            table.Stream(Roles.Output, new Layer(l.Index + 1), c, r, AccessMode.Write),
            table.LayerInputs(programs[l].Forward(saved), c, r, AccessMode.Read),
            table.Scratch(programs[l].Forward(saved).ScratchLength, AccessMode.Write),
        ], saved);

    private void Backward(Layer l, Chunk c, Round r)
    {
        var saved = table.Saved(l, c, r);
        bool first = r.Index == 0 && c == geometry.BackwardOrder().First();
        bool lastOfGroup = c.Index % geometry.ChunksPerGroup == geometry.ChunksPerGroup - 1;
        if (segments > 1)
        {
            StreamedBackward(l, c, r, saved, first);
            return;
        }

        if (lastOfGroup && geometry.ChunksPerGroup > 1 && !saved.HasFlag(SaveSet.Kv) && programs[l].Kind.HasWindow)
        {
            RecomputeWindow(l, c, r);
        }

        if (programs[l].NeedsRecompute(saved))
        {
            Recompute(l, c, r, saved);
        }

        Backward(l, c, r, saved, lastOfGroup, first);
    }

    /// <summary>
    /// K and V of every chunk of the group, ascending, before the backward of its last chunk reads them all. A state follows from the one
    /// before.
    /// </summary>
    private void RecomputeWindow(Layer l, Chunk last, Round r)
    {
        for (int i = last.Index - geometry.ChunksPerGroup + 1; i <= last.Index; i++)
        {
            var c = new Chunk(i);
            Add(OpKind.Recompute, l, c, r,
            [
                table.Table(c, r),
                .. Weights(l, programs[l].RecomputeKv()),
                table.Stream(Roles.Input, l, c, r, AccessMode.Read),
                programs[l].Kind.HasState ? Context(l, c, r, recomputed: true) : default,
                table.Window(l, c, r, recomputed: true, geometry.WindowRow(c), geometry.ChunkTokens, AccessMode.Write),
                table.Scratch(programs[l].RecomputeKv().ScratchLength, AccessMode.Write),
            ], table.Saved(l, c, r), SaveSet.Kv);
        }
    }

    private void Recompute(Layer l, Chunk c, Round r, SaveSet saved)
    {
        var missing = programs[l].Missing(saved);
        bool ownKv = missing.HasFlag(SaveSet.Kv);
        bool recomputedWindow = !saved.HasFlag(SaveSet.Kv);
        AddPieces(OpKind.Recompute, (l, c, r), programs[l].Recompute(saved),
        [
            table.Table(c, r),
            .. Weights(l, programs[l].Recompute(saved)),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            ownKv
                ? table.Window(l, c, r, recomputedWindow, geometry.WindowRow(c), geometry.ChunkTokens, AccessMode.Write)
                : table.Window(l, c, r, recomputedWindow, 0, geometry.WindowRow(c) + geometry.ChunkTokens, AccessMode.Read),
            table.Activations(l, c, r, AccessMode.Read),
            table.LayerInputs(programs[l].Recompute(saved), c, r, AccessMode.Read),
            table.Scratch(programs[l].Backward(saved).ScratchLength, AccessMode.Write),
        ], saved, missing);
    }

    private void Backward(Layer l, Chunk c, Round r, SaveSet saved, bool lastOfGroup, bool firstOfStep)
    {
        int rows = geometry.WindowRow(c) + geometry.ChunkTokens;
        var program = programs[l].Backward(saved);
        AddPieces(OpKind.Backward, (l, c, r), program,
        [
            table.Table(c, r),
            .. Weights(l, program),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            table.Window(l, c, r, !saved.HasFlag(SaveSet.Kv), 0, rows, AccessMode.Read),
            table.Activations(l, c, r, saved.HasFlag(SaveSet.GateUp) ? AccessMode.ReadWrite : AccessMode.Read),
            table.GradStream(c, r, AccessMode.ReadWrite),
            table.GradWindow(l, c, r, rows, lastOfGroup && model.IsLastToReadKv(l) ? AccessMode.Write : AccessMode.ReadWrite),
            .. Gradients(l, program, firstOfStep),
            table.LayerInputs(program, c, r, AccessMode.Read),
            table.GradLayerInputs(program, c, r, l.Index == model.LayerCount - 1 ? AccessMode.Write : AccessMode.ReadWrite),
            Where(Loads(l), model.HasRouterLosses ? table.Load(r, AccessMode.Read) : default),
            table.Scratch(
                program.ScratchLength,
                programs[l].NeedsRecompute(saved) ? AccessMode.ReadWrite : AccessMode.Write
            ),
        ], saved);
    }

    /// <summary>The layer attends to another's keys and values.</summary>
    private bool Shares(Layer l) => programs[l].Kind.SharesKv;

    private Use Context(Layer l, Chunk c, Round r, bool recomputed) =>
        geometry.WindowRow(c) == 0 ? default : table.Window(l, c, r, recomputed, 0, geometry.WindowRow(c), AccessMode.Read);

    private void Add(
        OpKind kind,
        Layer? l,
        Chunk? c,
        Round r,
        ReadOnlySpan<Use> uses,
        SaveSet saved = default,
        SaveSet wanted = default,
        Segment? segment = null
    ) =>
        Add(
            new StepOp(kind)
            {
                Layer = l,
                Chunk = c,
                Round = r,
                Segment = segment,
                Saved = saved,
                Wanted = wanted,
            },
            uses
        );

    /// <summary>An op with those of the uses that exist.</summary>
    private void Add(StepOp op, ReadOnlySpan<Use> uses)
    {
        int count = 0;
        foreach (ref readonly var use in uses)
        {
            count += use.Exists ? 1 : 0;
        }

        var existing = new Use[count];
        count = 0;
        foreach (ref readonly var use in uses)
        {
            if (use.Exists)
            {
                existing[count++] = use;
            }
        }

        ops.Add(op with { Uses = ImmutableCollectionsMarshal.AsImmutableArray(existing) });
    }
}
