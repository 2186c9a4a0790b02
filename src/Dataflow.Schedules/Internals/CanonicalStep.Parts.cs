using Dataflow.Model;

namespace Dataflow.Schedules.Internals;

/// <summary>The head, whole or block by block, and layers whose windows are streamed segment by segment.</summary>
internal sealed partial class CanonicalStep
{
    private void Head(Round r)
    {
        if (workload.Kind == WorkloadKind.Generation)
        {
            foreach (var b in TableBlocks)
            {
                Logits(b, new Chunk(0), r);
            }

            return;
        }

        if (!IsCut)
        {
            foreach (var c in geometry.BackwardOrder())
            {
                WholeHead(c, r);
            }

            return;
        }

        foreach (var b in programs.Vocabulary.Blocks)
        {
            foreach (var c in geometry.BackwardOrder())
            {
                HeadBlock(b, c, r);
                Accumulate(Roles.LogitStatistics, Statistics(c, r), 0, programs.LogitStatisticsSize.Value);
                if (b == programs.Vocabulary.Last)
                {
                    LossOrSums(c, r);
                    LoadOfLoss(r);
                }

                Scratch(programs.HeadLoss(b).ScratchLength, AccessMode.Write);
                Visit(new OpIdentity(OpKind.HeadLoss, null, b, c, r));
            }
        }

        foreach (var b in workload.Kind.HasBackward() ? programs.Vocabulary.Blocks.Reverse() : [])
        {
            foreach (var c in geometry.BackwardOrder())
            {
                HeadBlock(b, c, r);
                Add(Roles.LogitStatistics, Statistics(c, r), 0, programs.LogitStatisticsSize.Value, AccessMode.Read);
                Accumulate(Roles.GradHead, new ObjectId(ObjectFamily.GradHeads) { Chunk = c, Round = r }, 0, programs.GradHeadSize.Value);
                Pairs(r, AccessMode.Read);
                Accumulate(Roles.HeadBlockGradients, Gradients(MatrixOf(b).Owner), 0, GradientsOf(MatrixOf(b).Layout));
                if (b.Index == 0)
                {
                    Add(Roles.GradStream, GradStream(c, r), 0, programs.StreamSize.Value, AccessMode.Write);
                    Accumulate(Roles.Gradients, Gradients(ParameterOwner.Head), 0, GradientsOf(programs.HeadLayout));
                }

                Scratch(programs.HeadBackward(b).ScratchLength, AccessMode.Write);
                Visit(new OpIdentity(OpKind.HeadBackward, null, b, c, r));
            }
        }
    }

    private void WholeHead(Chunk c, Round r)
    {
        long size = GradientsOf(programs.HeadLayout), table = GradientsOf(programs.EmbeddingLayouts[0]);
        Table(c, r);
        Add(Roles.Input, Stream(model.LayerCount, c, r), 0, programs.StreamSize.Value, AccessMode.Read);
        Weights(Roles.Weights, ParameterOwner.Head, programs.HeadLayout);
        Loss(c, r);
        if (model.TiedEmbedding)
        {
            Weights(Roles.TiedWeights, ParameterOwner.Embedding(null), programs.EmbeddingLayouts[0]);
        }

        if (workload.Kind.HasBackward())
        {
            LoadOfLoss(r);
            Add(Roles.GradStream, GradStream(c, r), 0, programs.StreamSize.Value, AccessMode.Write);
            Accumulate(Roles.Gradients, Gradients(ParameterOwner.Head), 0, size);
            if (model.TiedEmbedding)
            {
                Accumulate(Roles.TiedGradients, Gradients(ParameterOwner.Embedding(null)), 0, table);
            }
        }

        Apart(workload.Kind.HasBackward() ? programs.Head() : programs.Evaluate());
        Scratch(programs.Head().ScratchLength, AccessMode.Write);
        Visit(new OpIdentity(OpKind.Head, null, null, c, r));
    }

    private void Logits(VocabularyBlock? b, Chunk c, Round r)
    {
        var program = programs.Logits(b);
        if (b is { } block)
        {
            HeadBlock(block, c, r);
        }
        else
        {
            Table(c, r);
            Add(Roles.Input, Stream(model.LayerCount, c, r), 0, programs.StreamSize.Value, AccessMode.Read);
            Weights(Roles.Weights, ParameterOwner.Head, programs.HeadLayout);
            if (model.TiedEmbedding)
            {
                Weights(Roles.TiedWeights, ParameterOwner.Embedding(null), programs.EmbeddingLayouts[0]);
            }
        }

        Apart(program);
        int vocabulary = b is { } part ? programs.Vocabulary.RowsOf(part) : model.VocabSize;
        Add(Roles.Logits, LogitsOf(b), 0, 4L * geometry.Cache!.Logits * vocabulary, AccessMode.Write);
        Scratch(program.ScratchLength, AccessMode.Write);
        Visit(new OpIdentity(OpKind.Head, null, b, c, r));
    }

    /// <summary>What of embedding and head lies apart, where a program names it.</summary>
    private void Apart(BlockProgram program)
    {
        if (Uses(program, Roles.WeightsOf(1)))
        {
            Weights(Roles.WeightsOf(1), ParameterOwner.Apart, programs.ApartLayout!);
        }

        if (Uses(program, Roles.GradientsOf(1)))
        {
            Accumulate(Roles.GradientsOf(1), Gradients(ParameterOwner.Apart), 0, GradientsOf(programs.ApartLayout!));
        }
    }

    /// <summary>Where logits are the step's result: those of a block of the vocabulary, or all.</summary>
    public static ObjectId LogitsOf(VocabularyBlock? block) => new(ObjectFamily.Logits) { Piece = block?.Index };

    /// <summary>Bytes; none of what is frozen.</summary>
    private long GradientsOf(ParameterLayout layout) => layout.IsTrained ? layout.Size(recipe.Gradients).Value : 0;

    private (ParameterOwner Owner, ParameterLayout Layout) MatrixOf(VocabularyBlock b) =>
        model.TiedEmbedding
            ? (ParameterOwner.Embedding(b), programs.EmbeddingLayouts[b.Index])
            : (ParameterOwner.HeadBlock(b), programs.HeadBlockLayouts[b.Index]);

    private void HeadBlock(VocabularyBlock b, Chunk c, Round r)
    {
        Table(c, r);
        Add(Roles.Input, Stream(model.LayerCount, c, r), 0, programs.StreamSize.Value, AccessMode.Read);
        Weights(Roles.Weights, ParameterOwner.Head, programs.HeadLayout);
        Weights(Roles.HeadBlock, MatrixOf(b).Owner, MatrixOf(b).Layout);
    }

    private void LossOrSums(Chunk c, Round r)
    {
        if (geometry.Pairs)
        {
            Pairs(r, AccessMode.ReadWrite);
        }
        else
        {
            Loss(c, r);
        }
    }

    /// <summary>What a round's pairs are compared by.</summary>
    private void Pairs(Round r, AccessMode mode)
    {
        long length = geometry.Pairs ? PairTable.Size(geometry).Value : 0;
        Add(Roles.Pairs, new ObjectId(ObjectFamily.Pairs), length * r.Index, length, mode);
    }

    private void LoadOfLoss(Round r)
    {
        if (workload.Kind.HasBackward())
        {
            Load(null, r, adds: false);
        }
    }

    private void Loss(Chunk c, Round r) =>
        Add(Roles.Loss, new ObjectId(ObjectFamily.Losses), 4L * ((r.Index * geometry.ChunksPerRound) + c.Index), 4, AccessMode.Write);

    private void StreamedForward(Layer l, Chunk c, Round r, SaveSet saved)
    {
        var (project, attend, combine) = (programs[l].Project(saved), programs[l].Attend(saved), programs[l].Combine(saved));
        var own = geometry.SegmentOf(c, segments);
        long split = programs[l].SavedBeforeAttention(saved).Value, row = programs[l].KvPieceSize.Value / geometry.ChunkTokens;
        Block(l, c, r, project);
        Add(
            Roles.Kv,
            Piece(ObjectFamily.Windows, l, c, r, own),
            row * (geometry.WindowRow(c) - geometry.FirstRow(own)),
            programs[l].KvPieceSize.Value,
            AccessMode.Write
        );
        Add(Roles.Activations, Activations(l, c, r), 0, split, AccessMode.Write);
        Scratch(project.ScratchLength, AccessMode.Write);
        Visit(new OpIdentity(OpKind.Project, l, null, c, r, own), saved);
        for (int s = FirstSegment(l, c); s <= own.Index; s++)
        {
            var segment = own with { Index = s };
            Table(c, r);
            Add(Roles.Kv, Piece(ObjectFamily.Windows, l, c, r, segment), 0, row * geometry.RowsUpTo(c, segment), AccessMode.Read);
            Add(Roles.Activations, Activations(l, c, r), 0, Uses(attend, Roles.Activations) ? split : 0, AccessMode.Read);
            Scratch(attend.ScratchLength, AccessMode.ReadWrite);
            Visit(new OpIdentity(OpKind.Attend, l, null, c, r, segment), saved);
        }

        LayerWeights(l, combine);
        Add(Roles.Input, Stream(l.Index, c, r), 0, programs.StreamSize.Value, AccessMode.Read);
        Add(Roles.Activations, Activations(l, c, r), split, programs[l].ActivationsSize(saved).Value - split, AccessMode.Write);
        Add(Roles.Output, Stream(l.Index + 1, c, r), 0, programs.StreamSize.Value, AccessMode.Write);
        Load(l, r, adds: true);
        Scratch(combine.ScratchLength, AccessMode.ReadWrite);
        Visit(new OpIdentity(OpKind.Combine, l, null, c, r, own), saved);
    }

    private void StreamedBackward(Layer l, Chunk c, Round r, SaveSet saved)
    {
        var (combine, project) = (programs[l].CombineBackward(saved), programs[l].ProjectBackward(saved));
        var own = geometry.SegmentOf(c, segments);
        long kept = programs[l].ActivationsSize(saved).Value;
        long row = programs[l].KvPieceSize.Value / geometry.ChunkTokens, gradRow = programs[l].GradKvPieceSize.Value / geometry.ChunkTokens;
        bool repeats = programs[l].NeedsRecompute(saved);
        if (repeats)
        {
            Block(l, c, r, programs[l].StreamedRecompute(saved));
            Add(Roles.Activations, Activations(l, c, r), 0, kept, AccessMode.Read);
            Scratch(combine.ScratchLength, AccessMode.Write);
            Visit(new OpIdentity(OpKind.Recompute, l, null, c, r, own) { Wanted = programs[l].Missing(saved) }, saved);
        }

        if (Uses(combine, Roles.Table))
        {
            Table(c, r);
        }

        LayerWeights(l, combine);
        Add(Roles.Input, Stream(l.Index, c, r), 0, Uses(combine, Roles.Input) ? programs.StreamSize.Value : 0, AccessMode.Read);
        Add(Roles.Activations, Activations(l, c, r), 0, kept, saved.HasFlag(SaveSet.GateUp) ? AccessMode.ReadWrite : AccessMode.Read);
        Add(Roles.GradStream, GradStream(c, r), 0, programs.StreamSize.Value, AccessMode.ReadWrite);
        foreach (int p in programs[l].PartsOf(combine))
        {
            long first = programs[l].GradientsBeforeAttention(p).Value, size = programs[l].GradientsSize(p).Value;
            Accumulate(Roles.GradientsOf(p), Gradients(new ParameterOwner(l, Part: p)), first, size - first);
        }

        Load(l, r, adds: false);
        Scratch(combine.ScratchLength, repeats ? AccessMode.ReadWrite : AccessMode.Write);
        Visit(new OpIdentity(OpKind.CombineBackward, l, null, c, r, own), saved);
        for (int s = FirstSegment(l, c); s <= own.Index; s++)
        {
            var segment = own with { Index = s };
            int rows = geometry.RowsUpTo(c, segment);
            Table(c, r);
            Add(Roles.Kv, Piece(ObjectFamily.Windows, l, c, r, segment), 0, row * rows, AccessMode.Read);
            Add(Roles.Activations, Activations(l, c, r), 0, kept, AccessMode.Read);
            Accumulate(Roles.GradKv, Piece(ObjectFamily.GradWindows, l, c, r, segment), 0, gradRow * rows);
            Scratch(combine.ScratchLength, AccessMode.ReadWrite);
            Visit(new OpIdentity(OpKind.AttendBackward, l, null, c, r, segment), saved);
        }

        Block(l, c, r, project);
        Add(Roles.Activations, Activations(l, c, r), 0, Uses(project, Roles.Activations) ? kept : 0, AccessMode.Read);
        Add(Roles.GradStream, GradStream(c, r), 0, programs.StreamSize.Value, AccessMode.ReadWrite);
        Add(
            Roles.GradKv,
            Piece(ObjectFamily.GradWindows, l, c, r, own),
            gradRow * (geometry.WindowRow(c) - geometry.FirstRow(own)),
            programs[l].GradKvPieceSize.Value,
            AccessMode.Read
        );
        foreach (int p in programs[l].PartsOf(project))
        {
            Accumulate(Roles.GradientsOf(p), Gradients(new ParameterOwner(l, Part: p)), 0, programs[l].GradientsBeforeAttention(p).Value);
        }

        Scratch(combine.ScratchLength, AccessMode.ReadWrite);
        Visit(new OpIdentity(OpKind.ProjectBackward, l, null, c, r, own), saved);
    }

    /// <summary>The segment of the first key that the chunk's first token sees: no other token sees further back.</summary>
    private int FirstSegment(Layer l, Chunk c)
    {
        if (programs[l].Kind.Window is not { } window)
        {
            return 0;
        }

        int token = geometry.WindowRow(c), s = 0;
        int key = token - Math.Min(token % geometry.Seqlen, window - 1);
        while (geometry.FirstRow(new Segment(s, segments)) + geometry.RowsOf(new Segment(s, segments)) <= key)
        {
            s++;
        }

        return s;
    }

    private static ObjectId Statistics(Chunk c, Round r) => new(ObjectFamily.LogitStatistics) { Chunk = c, Round = r };

    private ObjectId Piece(ObjectFamily family, Layer l, Chunk c, Round r, Segment s) => Window(family, l, c, r) with { Segment = s.Index };

    private static bool Uses(BlockProgram program, string role) => program.Places.Values.Any(p => p.Role == role);

    /// <summary>
    /// An op, or, where the layer's experts lie in objects of their own, its pieces: each has the operands that it names, and scratch as
    /// the one before left it.
    /// </summary>
    private void VisitPieces(OpIdentity op, SaveSet saved, BlockProgram program)
    {
        var pieces = programs[op.Layer!.Value].Pieces(program);
        if (pieces.Length == 1)
        {
            Visit(op, saved);
            return;
        }

        CanonicalOperand[] all = [.. operands];
        var written = new HashSet<(ObjectId, long)>();
        operands.Clear();
        for (int i = 0; i < pieces.Length; i++)
        {
            var roles = pieces[i].Places.Values.Select(p => p.Role).Append(Roles.Scratch).ToHashSet();
            foreach (var operand in all.Where(o => roles.Contains(o.Role)))
            {
                bool again = operand.Mode == AccessMode.Write && !written.Add((operand.Object, operand.Offset));
                operands.Add(again ? operand with { Mode = AccessMode.ReadWrite } : operand);
            }

            Visit(op with { Piece = i }, saved);
        }
    }
}
