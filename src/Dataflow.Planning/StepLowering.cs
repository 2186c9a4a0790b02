using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// The computation of a step in program order. Per round: embedding; every layer over all chunks; head; every layer back over all
/// chunks (<see cref="Geometry.BackwardOrder"/>); embedding back. A vocabulary that is cut passes embedding and head block by block. In the last round each parameter object is updated as soon as its
/// gradient is final.
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

    private StepLowering(Workload workload, BlockPrograms programs, Residency residency, ImmutableArray<Pool> pools)
    {
        this.workload = workload;
        this.programs = programs;
        (model, geometry) = (workload.Model, workload.Geometry);
        pieces = new OptimizerPieces(workload, programs);
        this.pools = pools;
        segments = residency.WindowSegments;
        if (segments > 1 && (segments != geometry.SegmentsUpTo(segments) || residency.ResidentGroups > 0 || !BlockPrograms.MayStream(residency.Travelling)))
        {
            throw new ArgumentException($"windows cannot be streamed under {residency}", nameof(residency));
        }

        table = new ObjectTable(workload, programs, residency, pools);
    }

    /// <summary>The step's ops, objects and pools.</summary>
    public static StepProgram Lower(Workload workload, BlockPrograms programs, Residency residency) =>
        Lower(workload, programs, residency, DevicePools.Of(workload, programs, residency));

    /// <summary>As above, in pools made for another kind of step of the same geometry.</summary>
    public static StepProgram Lower(Workload workload, BlockPrograms programs, Residency residency, ImmutableArray<Pool> pools)
    {
        var lowering = new StepLowering(workload, programs, residency, pools);
        for (int r = 0; r < workload.Geometry.Rounds; r++)
        {
            lowering.LowerRound(new Round(r));
        }

        return new StepProgram([.. lowering.ops], lowering.table.Objects, lowering.pools);
    }

    private Layer HeadEntry => new(model.LayerCount);

    private IEnumerable<Chunk> Chunks => Enumerable.Range(0, geometry.ChunksPerRound).Select(c => new Chunk(c));

    private void LowerRound(Round r)
    {
        bool last = r.Index == geometry.Rounds - 1;
        Embed(r);
        for (int l = 0; l < model.LayerCount; l++)
        {
            foreach (var c in Chunks)
            {
                if (segments > 1)
                {
                    StreamedForward(new Layer(l), c, r);
                }
                else
                {
                    Forward(new Layer(l), c, r);
                }
            }
        }

        Head(r, last);
        if (!workload.Kind.HasBackward())
        {
            return;
        }

        for (int l = model.LayerCount - 1; l >= 0; l--)
        {
            BackwardLayer(new Layer(l), r);
            GradientIsFinal(last, new ParameterOwner(new Layer(l)));
        }

        EmbedBackward(r, last);
        if (last && workload.Kind == WorkloadKind.ClippedTraining)
        {
            UpdateAll();
        }
    }

    /// <summary>Updates that waited for the norm. The last gradients to become final are still here: start with them.</summary>
    private void UpdateAll()
    {
        foreach (var b in TableBlocks.Reverse())
        {
            Update(ParameterOwner.Embedding(b));
        }

        for (int l = 0; l < model.LayerCount; l++)
        {
            Update(new ParameterOwner(new Layer(l)));
        }

        Update(ParameterOwner.Head);
        for (int b = 0; b < programs.HeadBlockLayouts.Length; b++)
        {
            Update(ParameterOwner.HeadBlock(new VocabularyBlock(b)));
        }
    }

    /// <summary>In the last round a gradient is used at once: for the update or, where all must wait, for the norm.</summary>
    private void GradientIsFinal(bool lastRound, ParameterOwner owner)
    {
        if (lastRound && workload.Kind == WorkloadKind.Training)
        {
            Update(owner);
        }
        else if (lastRound && workload.Kind == WorkloadKind.ClippedTraining)
        {
            var (gradients, _) = Parameters(owner);
            ops.Add(new StepOp(OpKind.Norm, [gradients, table.Norm(owner), .. table.Scratch(programs.NormScratch, AccessMode.Write)]) { Layer = owner.Layer, Block = owner.Block });
        }
    }

    private void Forward(Layer l, Chunk c, Round r)
    {
        var saved = table.Saved(l, c);
        Add(OpKind.Forward, l, c, r,
        [
            table.Table(c, r),
            table.Weights(l, AccessMode.Read),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            .. Context(l, c, r, recomputed: false),
            table.Window(l, c, r, recomputed: false, geometry.WindowRow(c), geometry.ChunkTokens, AccessMode.Write),
            .. table.Activations(l, c, r, AccessMode.Write),
            table.Stream(Roles.Output, new Layer(l.Index + 1), c, r, AccessMode.Write),
            .. table.Scratch(programs.Forward(saved).ScratchLength, AccessMode.Write),
        ], saved);
    }

    private void BackwardLayer(Layer l, Round r)
    {
        bool first = r.Index == 0;
        foreach (var c in geometry.BackwardOrder())
        {
            var saved = table.Saved(l, c);
            bool lastOfGroup = c.Index % geometry.ChunksPerGroup == geometry.ChunksPerGroup - 1;
            if (segments > 1)
            {
                StreamedBackward(l, c, r, saved, lastOfGroup, first);
                first = false;
                continue;
            }

            if (lastOfGroup && geometry.ChunksPerGroup > 1 && !saved.HasFlag(TensorSet.Kv))
            {
                RecomputeWindow(l, c, r);
            }

            if (programs.NeedsRecompute(saved))
            {
                Recompute(l, c, r, saved);
            }

            Backward(l, c, r, saved, lastOfGroup, first);
            first = false;
        }
    }

    /// <summary>K and V of every chunk of the group, ascending, before the backward of its last chunk reads them all.</summary>
    private void RecomputeWindow(Layer l, Chunk last, Round r)
    {
        for (int i = last.Index - geometry.ChunksPerGroup + 1; i <= last.Index; i++)
        {
            var c = new Chunk(i);
            Add(OpKind.Recompute, l, c, r,
            [
                table.Table(c, r),
                table.Weights(l, AccessMode.Read),
                table.Stream(Roles.Input, l, c, r, AccessMode.Read),
                table.Window(l, c, r, recomputed: true, geometry.WindowRow(c), geometry.ChunkTokens, AccessMode.Write),
                .. table.Scratch(programs.RecomputeKv().ScratchLength, AccessMode.Write),
            ], table.Saved(l, c), TensorSet.Kv);
        }
    }

    private void Recompute(Layer l, Chunk c, Round r, TensorSet saved)
    {
        var missing = programs.Missing(saved);
        bool ownKv = missing.HasFlag(TensorSet.Kv);
        bool recomputedWindow = !saved.HasFlag(TensorSet.Kv);
        Add(OpKind.Recompute, l, c, r,
        [
            table.Table(c, r),
            table.Weights(l, AccessMode.Read),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            ownKv
                ? table.Window(l, c, r, recomputedWindow, geometry.WindowRow(c), geometry.ChunkTokens, AccessMode.Write)
                : table.Window(l, c, r, recomputedWindow, 0, geometry.WindowRow(c) + geometry.ChunkTokens, AccessMode.Read),
            .. table.Activations(l, c, r, AccessMode.Read),
            .. table.Scratch(programs.Backward(saved).ScratchLength, AccessMode.Write),
        ], saved, missing);
    }

    private void Backward(Layer l, Chunk c, Round r, TensorSet saved, bool lastOfGroup, bool firstOfStep)
    {
        int rows = geometry.WindowRow(c) + geometry.ChunkTokens;
        Add(OpKind.Backward, l, c, r,
        [
            table.Table(c, r),
            table.Weights(l, AccessMode.Read),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            table.Window(l, c, r, !saved.HasFlag(TensorSet.Kv), 0, rows, AccessMode.Read),
            .. table.Activations(l, c, r, saved.HasFlag(TensorSet.GateUp) ? AccessMode.ReadWrite : AccessMode.Read),
            table.GradStream(c, r, AccessMode.ReadWrite),
            table.GradWindow(l, c, r, rows, lastOfGroup ? AccessMode.Write : AccessMode.ReadWrite),
            table.Gradients(l, firstOfStep ? AccessMode.Write : AccessMode.ReadWrite),
            .. table.Scratch(programs.Backward(saved).ScratchLength, programs.NeedsRecompute(saved) ? AccessMode.ReadWrite : AccessMode.Write),
        ], saved);
    }

    private (Use Gradients, Use Weights) Parameters(ParameterOwner owner) => owner.Layer is { } l
        ? (table.Gradients(l, AccessMode.Read), table.Weights(l, AccessMode.ReadWrite))
        : (table.VocabularyGradients(Roles.Gradients, owner, AccessMode.Read), table.VocabularyWeights(Roles.Weights, owner, AccessMode.ReadWrite));

    private void Update(ParameterOwner owner)
    {
        var layout = owner.Layout(programs);
        var (gradients, weights) = Parameters(owner);
        long g = workload.Recipe.Gradients.Size(), w = workload.Recipe.Parameters.Size();
        for (int p = 0; p < pieces.CountOf(layout); p++)
        {
            var (first, count) = pieces.Elements(layout, p);
            ops.Add(new StepOp(OpKind.Update,
            [
                gradients with { Offset = new Bytes(first * g), Length = new Bytes(count * g) },
                weights with { Offset = new Bytes(first * w), Length = new Bytes(count * w) },
                table.Moments(owner.ToString(), p, piecesUsed++, pieces.Size(count)),
                .. workload.Kind == WorkloadKind.ClippedTraining ? [table.Norms()] : ImmutableArray<Use>.Empty,
            ]) { Layer = owner.Layer, Block = owner.Block, Piece = p });
        }
    }

    private ImmutableArray<Use> Context(Layer l, Chunk c, Round r, bool recomputed) =>
        geometry.WindowRow(c) == 0 ? [] : [table.Window(l, c, r, recomputed, 0, geometry.WindowRow(c), AccessMode.Read)];

    private void Add(OpKind kind, Layer? l, Chunk? c, Round r, ImmutableArray<Use> uses, TensorSet saved = default, TensorSet wanted = default, Segment? segment = null) =>
        ops.Add(new StepOp(kind, uses) { Layer = l, Chunk = c, Round = r, Segment = segment, Saved = saved, Wanted = wanted });
}
