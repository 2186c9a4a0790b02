using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// Embedding and head. Blocks outside, chunks inside, so that a block comes once a pass; every pass over the blocks begins with the one
/// that the pass before ended with: embedding down, loss up, head's backward down, embedding's backward up. What layers take of tokens
/// besides the stream comes after the embedding, and before it on the way back.
/// </summary>
internal sealed partial class StepLowering
{
    /// <summary>The blocks of the embedding table; a single null where it is not cut.</summary>
    private ImmutableArray<VocabularyBlock?> TableBlocks =>
        programs.Vocabulary.AreCut ? [.. programs.Vocabulary.Blocks.Select(b => (VocabularyBlock?)b)] : [null];

    private void Embed(Round r)
    {
        // The first one writes every row of the chunk, the others those of their ids.
        AccessMode mode = AccessMode.Write, ofInputs = AccessMode.Write;
        foreach (var b in programs.EmbeddingBlocks)
        {
            var program = programs.Embed(b);
            foreach (var c in Chunks)
            {
                AddBlock(OpKind.Embed, b, c, r,
                [
                    table.Table(c, r),
                    table.VocabularyWeights(Roles.Weights, ParameterOwner.Embedding(b), AccessMode.Read),
                    .. Apart(program, firstOfStep: false),
                    Embedded(program, c, r),
                    Names(program, Roles.Output) ? table.Stream(Roles.Output, new Layer(0), c, r, mode) : default,
                    table.LayerInputs(program, c, r, ofInputs),
                    table.Scratch(program.ScratchLength, AccessMode.Write),
                ]);
            }

            mode = AccessMode.ReadWrite;
            ofInputs = Names(program, Roles.LayerInputs) ? AccessMode.ReadWrite : ofInputs;
        }
    }

    /// <summary>The embedded tokens, where a program reads them.</summary>
    private Use Embedded(BlockProgram program, Chunk c, Round r) =>
        Names(program, Roles.Input) ? table.Stream(Roles.Input, new Layer(0), c, r, AccessMode.Read) : default;

    private void EmbedBackward(Round r, bool last)
    {
        if (!model.HasEmbedBackward)
        {
            return;
        }

        foreach (var b in programs.EmbeddingBlocks.Reverse())
        {
            var (owner, program) = (ParameterOwner.Embedding(b), programs.EmbedBackward(b));
            if (r.Index == 0 && !programs.BeginsInHead(b) && model.TrainsEmbedding)
            {
                AddBlock(OpKind.Zero, b, null, r, [table.VocabularyGradients(Roles.Gradients, owner, AccessMode.Write)]);
            }

            foreach (var c in geometry.BackwardOrder())
            {
                AddBlock(
                    OpKind.EmbedBackward,
                    b,
                    c,
                    r,
                    [
                        table.Table(c, r),
                        Names(program, Roles.Weights) ? table.VocabularyWeights(Roles.Weights, owner, AccessMode.Read) : default,
                        Embedded(program, c, r),
                        Names(program, Roles.GradStream)
                            ? table.GradStream(c, r, Names(program, Roles.Input) ? AccessMode.ReadWrite : AccessMode.Read)
                            : default,
                        EndGradients(Roles.Gradients, owner, AccessMode.ReadWrite),
                        table.LayerInputs(program, c, r, AccessMode.Write),
                        table.GradLayerInputs(program, c, r, Names(program, Roles.Input) ? AccessMode.ReadWrite : AccessMode.Read),
                        .. Apart(program, firstOfStep: false),
                        table.Scratch(program.ScratchLength, AccessMode.Write),
                    ]
                );
            }

            if (model.TrainsEmbedding)
            {
                GradientIsFinal(last, owner);
            }
        }

        if (ApartIsTrained && model.Adapter!.AdaptsEmbedding)
        {
            GradientIsFinal(last, ParameterOwner.Apart);
        }
    }

    private bool ApartIsTrained => programs.ApartLayout is { IsTrained: true };

    /// <summary>What of embedding and head lies apart, where a program names it.</summary>
    private ImmutableArray<Use> Apart(BlockProgram program, bool firstOfStep) =>
        programs.ApartLayout is null
            ? []
            :
            [
                Names(program, Roles.WeightsOf(1))
                    ? table.VocabularyWeights(Roles.WeightsOf(1), ParameterOwner.Apart, AccessMode.Read)
                    : default,
                Names(program, Roles.GradientsOf(1))
                    ? EndGradients(Roles.GradientsOf(1), ParameterOwner.Apart, firstOfStep ? AccessMode.Write : AccessMode.ReadWrite)
                    : default,
            ];

    private void Head(Round r, bool last)
    {
        if (workload.Kind == WorkloadKind.Generation)
        {
            foreach (var b in TableBlocks)
            {
                Logits(b, new Chunk(0), r);
            }

            return;
        }

        if (!programs.Vocabulary.AreCut)
        {
            bool first = r.Index == 0;
            foreach (var c in geometry.BackwardOrder())
            {
                WholeHead(c, r, first);
                first = false;
            }
        }
        else
        {
            HeadLoss(r);
            if (workload.Kind.HasBackward())
            {
                HeadBackward(r, last);
            }
        }

        if (workload.Kind.HasBackward() && model.TrainsHead)
        {
            GradientIsFinal(last, ParameterOwner.Head);
        }

        if (workload.Kind.HasBackward() && ApartIsTrained && !model.Adapter!.AdaptsEmbedding)
        {
            GradientIsFinal(last, ParameterOwner.Apart);
        }
    }

    /// <summary>Logits of what is asked for, a block of the vocabulary after the other.</summary>
    private void Logits(VocabularyBlock? b, Chunk c, Round r) =>
        AddBlock(OpKind.Head, b, c, r,
        [
            .. b is { } block ? BlockOperands(block, c, r) : WholeOperands(c, r),
            .. Apart(programs.Logits(b), firstOfStep: false),
            table.Logits(b, AccessMode.Write),
            table.Scratch(programs.Logits(b).ScratchLength, AccessMode.Write),
        ]);

    private ImmutableArray<Use> WholeOperands(Chunk c, Round r) =>
        [
            table.Table(c, r),
            table.Stream(Roles.Input, HeadEntry, c, r, AccessMode.Read),
            table.VocabularyWeights(Roles.Weights, ParameterOwner.Head, AccessMode.Read),
            model.TiedEmbedding ? table.VocabularyWeights(Roles.TiedWeights, ParameterOwner.Embedding(null), AccessMode.Read) : default,
        ];

    private void WholeHead(Chunk c, Round r, bool first)
    {
        var uses = new List<Use>
        {
            table.Table(c, r),
            table.Stream(Roles.Input, HeadEntry, c, r, AccessMode.Read),
            table.VocabularyWeights(Roles.Weights, ParameterOwner.Head, AccessMode.Read),
            table.Loss(c, r),
        };
        if (model.TiedEmbedding)
        {
            uses.Add(table.VocabularyWeights(Roles.TiedWeights, ParameterOwner.Embedding(null), AccessMode.Read));
        }

        if (workload.Kind.HasBackward())
        {
            uses.Add(LoadOfLoss(r));
            var gradients = first ? AccessMode.Write : AccessMode.ReadWrite;
            uses.Add(table.GradStream(c, r, AccessMode.Write));
            uses.Add(EndGradients(Roles.Gradients, ParameterOwner.Head, gradients));
            if (model.TiedEmbedding)
            {
                uses.Add(EndGradients(Roles.TiedGradients, ParameterOwner.Embedding(null), gradients));
            }
        }

        uses.AddRange(Apart(workload.Kind.HasBackward() ? programs.Head() : programs.Evaluate(), first));
        uses.Add(table.Scratch(programs.Head().ScratchLength, AccessMode.Write));
        Add(OpKind.Head, null, c, r, [.. uses]);
    }

    /// <summary>Every block's logits into the statistics of their rows; with the last block they become the loss.</summary>
    private void HeadLoss(Round r)
    {
        foreach (var b in programs.Vocabulary.Blocks)
        {
            foreach (var c in geometry.BackwardOrder())
            {
                AddBlock(OpKind.HeadLoss, b, c, r,
                [
                    .. BlockOperands(b, c, r),
                    table.LogitStatistics(c, r, b.Index == 0 ? AccessMode.Write : AccessMode.ReadWrite),
                    b != programs.Vocabulary.Last ? default
                        : geometry.Pairs ? table.Pairs(r, AccessMode.ReadWrite)
                        : table.Loss(c, r),
                    b == programs.Vocabulary.Last && workload.Kind.HasBackward() ? LoadOfLoss(r) : default,
                    table.Scratch(programs.HeadLoss(b).ScratchLength, AccessMode.Write),
                ]);
            }
        }
    }

    /// <summary>Every block's logits again, and its gradient; with the last one computed the norm is passed, too.</summary>
    private void HeadBackward(Round r, bool last)
    {
        foreach (var b in programs.Vocabulary.Blocks.Reverse())
        {
            var gradients = r.Index == 0 ? AccessMode.Write : AccessMode.ReadWrite;
            var owner = model.TiedEmbedding ? ParameterOwner.Embedding(b) : ParameterOwner.HeadBlock(b);
            foreach (var c in geometry.BackwardOrder())
            {
                ImmutableArray<Use> stream = b.Index > 0 ? [] :
                    [table.GradStream(c, r, AccessMode.Write), EndGradients(Roles.Gradients, ParameterOwner.Head, gradients)];
                AddBlock(OpKind.HeadBackward, b, c, r,
                [
                    .. BlockOperands(b, c, r),
                    table.LogitStatistics(c, r, AccessMode.Read),
                    table.GradHead(c, r, b == programs.Vocabulary.Last ? AccessMode.Write : AccessMode.ReadWrite),
                    table.Pairs(r, AccessMode.Read),
                    EndGradients(Roles.HeadBlockGradients, owner, gradients),
                    .. stream,
                    table.Scratch(programs.HeadBackward(b).ScratchLength, AccessMode.Write),
                ]);
                gradients = AccessMode.ReadWrite;
            }

            if (!model.TiedEmbedding && model.TrainsHead)
            {
                GradientIsFinal(last, owner);
            }
        }
    }

    private Use LoadOfLoss(Round r) => model.HasRouterLosses ? table.Load(r, AccessMode.Read) : default;

    private ImmutableArray<Use> BlockOperands(VocabularyBlock b, Chunk c, Round r) =>
        [
            table.Table(c, r),
            table.Stream(Roles.Input, HeadEntry, c, r, AccessMode.Read),
            table.VocabularyWeights(Roles.Weights, ParameterOwner.Head, AccessMode.Read),
            table.VocabularyWeights(
                Roles.HeadBlock,
                model.TiedEmbedding ? ParameterOwner.Embedding(b) : ParameterOwner.HeadBlock(b),
                AccessMode.Read
            ),
        ];

    private void AddBlock(OpKind kind, VocabularyBlock? b, Chunk? c, Round r, ReadOnlySpan<Use> uses) =>
        Add(new StepOp(kind) { Block = b, Chunk = c, Round = r }, uses);
}
