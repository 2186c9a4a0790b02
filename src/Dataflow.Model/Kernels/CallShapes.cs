namespace Dataflow.Model;

/// <summary>Where and how large a call's operands are: what its work is counted by.</summary>
/// <param name="Program">The call's block program, with the place of each operand.</param>
/// <param name="Model">Whose block it is.</param>
/// <param name="Geometry">How many tokens chunks and sub-chunks have.</param>
/// <param name="Chunk">Whose tokens it computes: causal attention sees more keys in later chunks of a sequence.</param>
/// <param name="Segment">Where the window is streamed, the segment attended to.</param>
public readonly record struct CallShapes(BlockProgram Program, ModelConfig Model, Geometry Geometry, Chunk Chunk, Segment? Segment)
{
    /// <summary>Pairs of a query of the chunk and a key that it sees.</summary>
    public double AttendedPairs =>
        Segment is { } s ? Geometry.AttendedPairs(Chunk, s, Program.Window) : Geometry.AttendedPairs(Chunk, Program.Window);

    /// <summary>Shape and type of an operand.</summary>
    public TensorPlace Place(Operand operand) => Program.Places[operand];

    /// <summary>
    /// Bytes that a kernel moves which takes its operands once: updates are read and written, a workspace does not count, and of what is
    /// the whole chunk's a head's sub-chunk takes its own tokens.
    /// </summary>
    public double Traffic(KernelCall call)
    {
        bool bySubChunk = Program.RunsBySubChunk(call);
        double bytes = 0;
        foreach (var operand in call.Operands)
        {
            bytes += Moved(operand, bySubChunk);
        }

        foreach (var operand in call.Updates)
        {
            bytes += Moved(operand, bySubChunk);
        }

        return bytes;
    }

    private double Moved(Operand operand, bool bySubChunk)
    {
        if (operand.Tensor == TensorName.Partials)
        {
            return 0;
        }

        var place = Place(operand);
        bool part = bySubChunk && place.Tokens is TokenAxis.Rows or TokenAxis.Columns;
        return place.Size.Value * (part ? (double)Geometry.HeadTokens / Geometry.ChunkTokens : 1);
    }
}
