using Dataflow.Model;

namespace Dataflow.Schedules.Internals;

/// <summary>The embedding, whole or block by block, and what layers take of tokens besides the stream.</summary>
internal sealed partial class CanonicalStep
{
    private void Embed(Round r)
    {
        foreach (var b in programs.EmbeddingBlocks)
        {
            var program = programs.Embed(b);
            foreach (var c in Chunks)
            {
                Table(c, r);
                Weights(Roles.Weights, ParameterOwner.Embedding(b), programs.EmbeddingLayouts[b?.Index ?? 0]);
                Apart(program);
                Embedded(program, c, r);
                if (Uses(program, Roles.Output))
                {
                    Accumulate(Roles.Output, Stream(0, c, r), 0, programs.StreamSize.Value);
                }

                LayerInputs(program, c, r, b is null || Uses(program, Roles.Input) ? AccessMode.Write : AccessMode.ReadWrite);
                Scratch(program.ScratchLength, AccessMode.Write);
                Visit(new OpIdentity(OpKind.Embed, null, b, c, r));
            }
        }
    }

    private void EmbedBackward(Round r)
    {
        foreach (var b in programs.EmbeddingBlocks.Reverse())
        {
            var program = programs.EmbedBackward(b);
            long size = GradientsOf(programs.EmbeddingLayouts[b?.Index ?? 0]);
            if (r.Index == 0 && !programs.BeginsInHead(b) && model.TrainsEmbedding)
            {
                Accumulate(Roles.Gradients, Gradients(ParameterOwner.Embedding(b)), 0, size);
                Visit(new OpIdentity(OpKind.Zero, null, b, null, r));
            }

            foreach (var c in geometry.BackwardOrder())
            {
                Table(c, r);
                if (Uses(program, Roles.Weights))
                {
                    Weights(Roles.Weights, ParameterOwner.Embedding(b), programs.EmbeddingLayouts[b?.Index ?? 0]);
                }

                // What projects the embedded tokens adds to their gradient, and uses up that of what layers took.
                Embedded(program, c, r);
                var mode = Uses(program, Roles.Input) ? AccessMode.ReadWrite : AccessMode.Read;
                if (Uses(program, Roles.GradStream))
                {
                    Add(Roles.GradStream, GradStream(c, r), 0, programs.StreamSize.Value, mode);
                }

                Accumulate(Roles.Gradients, Gradients(ParameterOwner.Embedding(b)), 0, size);
                LayerInputs(program, c, r, AccessMode.Write, mode);
                Apart(program);
                Scratch(program.ScratchLength, AccessMode.Write);
                Visit(new OpIdentity(OpKind.EmbedBackward, null, b, c, r));
            }
        }
    }

    private void Embedded(BlockProgram program, Chunk c, Round r)
    {
        if (Uses(program, Roles.Input))
        {
            Add(Roles.Input, Stream(0, c, r), 0, programs.StreamSize.Value, AccessMode.Read);
        }
    }

    /// <summary>What layers take of a chunk's tokens, and its gradient, where a program names them.</summary>
    private void LayerInputs(BlockProgram program, Chunk c, Round r, AccessMode mode, AccessMode? ofGradient = null)
    {
        long length = programs.LayerInputsSize.Value;
        if (length == 0)
        {
            return;
        }

        if (Uses(program, Roles.LayerInputs))
        {
            Add(Roles.LayerInputs, new ObjectId(ObjectFamily.LayerInputs) { Chunk = c, Round = r }, 0, length, mode);
        }

        if (Uses(program, Roles.GradLayerInputs))
        {
            var gradient = new ObjectId(ObjectFamily.GradLayerInputs) { Chunk = c, Round = r };
            Add(Roles.GradLayerInputs, gradient, 0, length, ofGradient ?? Adding(gradient, 0));
        }
    }
}
