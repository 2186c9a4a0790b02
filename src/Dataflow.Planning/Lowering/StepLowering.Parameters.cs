using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// Which parameter objects an op uses, and what becomes of their gradients: each goes into its update, or into the norm that all updates
/// wait for.
/// </summary>
internal sealed partial class StepLowering
{
    /// <summary>Updates that waited for the norm. The last gradients to become final are still here: start with them.</summary>
    private void UpdateAll()
    {
        bool apartFirst = ApartIsTrained && model.Adapter!.AdaptsEmbedding;
        if (apartFirst)
        {
            Update(ParameterOwner.Apart);
        }

        foreach (var b in model.TrainsEmbedding ? programs.EmbeddingBlocks : [])
        {
            Update(ParameterOwner.Embedding(b));
        }

        for (int l = 0; l < model.LayerCount; l++)
        {
            foreach (var owner in Trained(new Layer(l)).Reverse())
            {
                Update(owner);
            }
        }

        if (ApartIsTrained && !apartFirst)
        {
            Update(ParameterOwner.Apart);
        }

        if (!model.TrainsHead)
        {
            return;
        }

        Update(ParameterOwner.Head);
        for (int b = 0; b < programs.HeadBlockLayouts.Length; b++)
        {
            Update(ParameterOwner.HeadBlock(new VocabularyBlock(b)));
        }
    }

    /// <summary>Of embedding or head, or of a block of either; no use of what is frozen.</summary>
    private Use EndGradients(string role, ParameterOwner owner, AccessMode mode) =>
        owner.Layout(programs).IsTrained ? table.VocabularyGradients(role, owner, mode) : default;

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
            Add(
                new StepOp(OpKind.Norm) { Layer = owner.Layer, Block = owner.Block },
                [gradients, table.Norm(owner), table.Scratch(programs.NormScratch, AccessMode.Write)]
            );
        }
    }

    private IEnumerable<ParameterOwner> Trained(Layer l) =>
        programs[l]
            .PartsAsFinal.Where(p => programs[l].Parts[p].IsTrained)
            .Select(p => new ParameterOwner(l, Part: p));

    /// <summary>Those of a layer's parameter objects that a program names.</summary>
    private Use[] Weights(Layer l, BlockProgram program)
    {
        var parts = programs[l].PartsOf(program);
        var uses = new Use[parts.Length];
        for (int i = 0; i < uses.Length; i++)
        {
            uses[i] = table.Weights(Roles.WeightsOf(parts[i]), new ParameterOwner(l, Part: parts[i]), AccessMode.Read);
        }

        return uses;
    }

    /// <summary>Their gradients, none of what is frozen. The first contribution of a step overwrites, the others add to it.</summary>
    private Use[] Gradients(Layer l, BlockProgram program, bool firstOfStep)
    {
        var parts = programs[l].PartsOf(program);
        var uses = new Use[parts.Length];
        for (int i = 0; i < uses.Length; i++)
        {
            var mode = firstOfStep ? AccessMode.Write : AccessMode.ReadWrite;
            uses[i] = programs[l].Parts[parts[i]].IsTrained
                ? table.Gradients(Roles.GradientsOf(parts[i]), new ParameterOwner(l, Part: parts[i]), mode)
                : default;
        }

        return uses;
    }

    private (Use Gradients, Use Weights) Parameters(ParameterOwner owner) =>
        owner.Layer is not null
            ? (table.Gradients(Roles.Gradients, owner, AccessMode.Read), table.Weights(Roles.Weights, owner, AccessMode.ReadWrite))
            : (
                table.VocabularyGradients(Roles.Gradients, owner, AccessMode.Read),
                table.VocabularyWeights(Roles.Weights, owner, AccessMode.ReadWrite)
            );

    private void Update(ParameterOwner owner)
    {
        var layout = owner.Layout(programs);
        var (gradients, weights) = Parameters(owner);
        long g = workload.Recipe.Gradients.Size(), w = workload.Recipe.Parameters.Size();
        for (int p = 0; p < pieces.CountOf(layout); p++)
        {
            var (first, count, _, scratch) = pieces.Of(layout, p);
            Add(new StepOp(OpKind.Update) { Layer = owner.Layer, Block = owner.Block, Piece = p },
            [
                gradients with { Offset = new Bytes(first * g), Length = new Bytes(count * g) },
                weights with { Offset = new Bytes(first * w), Length = new Bytes(count * w) },
                table.Moments(owner, p, piecesUsed++),
                workload.Kind == WorkloadKind.ClippedTraining ? table.Norms() : default,
                table.Scratch(scratch, AccessMode.Write),
            ]);
        }
    }
}
