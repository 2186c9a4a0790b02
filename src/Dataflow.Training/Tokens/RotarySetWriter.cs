using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Where documents' lengths change a model's rotary frequencies: what a chunk's table says of them (<see cref="RotarySets"/>), token after
/// token.
/// </summary>
/// <param name="model">Whose heads are turned.</param>
/// <param name="positions">One of its ways to turn them.</param>
/// <param name="geometry">How tokens are cut.</param>
/// <param name="offset">Of the frequencies in a chunk's table, in bytes.</param>
public sealed class RotarySetWriter(ModelConfig model, RotaryPositions positions, Geometry geometry, Bytes offset)
{
    private readonly long original = positions.Scaling!.OriginalPositions;
    private readonly int sets = RotarySets.Count(positions, geometry);
    private readonly int pairs = model.HeadDim / 2;
    private long chunk = -1;
    private long document = -1;
    private int used;
    private int last;

    /// <summary>Begins a round.</summary>
    public void Begin() => (chunk, document) = (-1, -1);

    /// <summary>The set of a token; what it names is in the table.</summary>
    /// <param name="table">Of the token's chunk.</param>
    /// <param name="ofChunk">The chunk's number.</param>
    /// <param name="begin">The first token of its document, counted over the round.</param>
    /// <param name="length">Tokens of the document.</param>
    public int SetOf(Span<int> table, int ofChunk, long begin, int length)
    {
        var frequencies = MemoryMarshal.Cast<byte, double>(MemoryMarshal.AsBytes(table)[(int)offset.Value..])[..(sets * pairs)];
        if (chunk != ofChunk)
        {
            (chunk, document, used) = (ofChunk, -1, 1);
            frequencies.Clear();
            RotarySets.Fill(model, positions, length: 0, frequencies[..pairs]);
            if (positions.Scaling!.Kind == RotaryScalingKind.LongRope)
            {
                RotarySets.Fill(model, positions, original + 1, frequencies[pairs..]);
            }
        }

        if (length <= original)
        {
            return 0;
        }

        if (positions.Scaling!.Kind == RotaryScalingKind.LongRope)
        {
            return 1;
        }

        if (document != begin)
        {
            (document, last) = (begin, used++);
            RotarySets.Fill(model, positions, length, frequencies.Slice(last * pairs, pairs));
        }

        return last;
    }
}
