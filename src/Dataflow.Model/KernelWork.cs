namespace Dataflow.Model;

/// <summary>What limits a kernel, and so which of a machine's rates it runs at.</summary>
public enum KernelClass
{
    /// <summary>Matrix products.</summary>
    Gemm,

    /// <summary>Attention, forward.</summary>
    AttentionForward,

    /// <summary>Attention, backward.</summary>
    AttentionBackward,

    /// <summary>Everything that reads and writes its operands once.</summary>
    Memory,
}

/// <summary>What one kernel call has to do.</summary>
/// <param name="Flops">Multiplications and additions as done: causal attention by the pairs that are seen, recomputed scores counted.</param>
/// <param name="Bytes">Of operands, each read or written once.</param>
/// <param name="Rows">M of a product; of attention the queries.</param>
/// <param name="Columns">N of a product; of attention the mean number of keys that a query sees.</param>
/// <param name="Depth">K of a product; of attention the width of a head.</param>
public readonly record struct KernelWork(KernelClass Class, double Flops, double Bytes, double Rows, double Columns, double Depth)
{
    /// <summary>The work of a call of a block program of one chunk.</summary>
    public static KernelWork Of(KernelCall call, BlockProgram program, ModelConfig model, Geometry geometry, Chunk chunk)
    {
        double bytes = call.Operands.Sum(o => (double)program.Places[o].Size.Value) + call.Updates.Sum(o => (double)program.Places[o].Size.Value);
        switch (call.Kernel)
        {
            case Kernel.GemmForward or Kernel.GemmInputGradient:
                var (a, c) = (program.Places[call.Reads[0]], program.Places[call.Writes[0]]);
                return new KernelWork(KernelClass.Gemm, 2.0 * c.Rows * c.Columns * a.Columns, bytes, c.Rows, c.Columns, a.Columns);
            case Kernel.GemmWeightGradient:
                var (g, tokens) = (program.Places[call.Updates[0]], program.Places[call.Reads[0]]);
                return new KernelWork(KernelClass.Gemm, 2.0 * g.Rows * g.Columns * tokens.Rows, bytes, g.Rows, g.Columns, tokens.Rows);
            case Kernel.AttentionForward or Kernel.AttentionBackward:
                // Scores and their product with the values; backward: scores again, and the gradients of all four operands.
                double pairs = geometry.AttendedPairs(chunk);
                bool forward = call.Kernel == Kernel.AttentionForward;
                double flops = (forward ? 4 : 10) * pairs * model.QueryDim;
                return new KernelWork(forward ? KernelClass.AttentionForward : KernelClass.AttentionBackward, flops, 0,
                    geometry.ChunkTokens, pairs / geometry.ChunkTokens, model.HeadDim);
            case Kernel.EmbeddingForward or Kernel.EmbeddingBackward:
                // Of the table, the rows of these tokens at most.
                var stream = program.Places[call.Kernel == Kernel.EmbeddingForward ? call.Writes[0] : call.Reads[2]];
                return new KernelWork(KernelClass.Memory, 0, (call.Kernel == Kernel.EmbeddingForward ? 2.0 : 3.0) * stream.Size.Value, stream.Rows, 1, 1);
            default:
                return new KernelWork(KernelClass.Memory, 0, bytes, geometry.ChunkTokens, 1, 1);
        }
    }
}
