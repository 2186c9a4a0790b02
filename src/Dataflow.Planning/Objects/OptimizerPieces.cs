using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// How optimizer state is cut so that a piece at a time can travel. The update is elementwise, so the cut never changes a result.
/// The largest block is cut in at most eight pieces (field notes: 8 pieces a layer hide as well as whole layers at an eighth of the
/// memory), but a piece is not smaller than 64 Ki elements, where a copy's latency would show.
/// </summary>
internal sealed class OptimizerPieces
{
    private const long PiecesPerBlock = 8;
    private const long SmallestPiece = 1 << 16;
    private readonly long bytes;
    private readonly long pieceElements;

    public OptimizerPieces(Workload workload, BlockPrograms programs)
    {
        bytes = workload.StateBytes;
        long block = programs.Kinds.Max(k => k.Parts.Where(p => p.IsTrained).Sum(p => p.ElementCount));
        long piece = (block + PiecesPerBlock - 1) / PiecesPerBlock;
        pieceElements = Math.Min(Math.Max((piece + 127) / 128 * 128, SmallestPiece), Math.Max(block, SmallestPiece));
        Order =
        [
            .. programs.HeadBlockLayouts.Reverse(),
            programs.HeadLayout,
            .. workload.Model.Layers.Reverse().SelectMany(l => programs[l].Parts.Where(p => p.IsTrained)),
            .. programs.EmbeddingLayouts,
        ];
        Total = Order.Sum(CountOf);
        long largest = Order.Max(l => l.ElementCount);
        SlotSize = Size(Math.Min(pieceElements, largest));
    }

    /// <summary>
    /// The parameter objects in the order in which their gradients become final: the head's blocks from the last, head, layers from the
    /// last, embedding.
    /// </summary>
    public ImmutableArray<ParameterLayout> Order { get; }

    /// <summary>Pieces of the whole model.</summary>
    public int Total { get; }

    /// <summary>Bytes of the largest piece's state.</summary>
    public Bytes SlotSize { get; }

    /// <summary>Pieces of a parameter object.</summary>
    public int CountOf(ParameterLayout layout) => checked((int)((layout.ElementCount + pieceElements - 1) / pieceElements));

    /// <summary>First element and number of elements of a piece.</summary>
    public (long First, long Count) Elements(ParameterLayout layout, int piece)
    {
        long first = piece * pieceElements;
        return (first, Math.Min(pieceElements, layout.ElementCount - first));
    }

    /// <summary>Bytes of the optimizer state of that many elements.</summary>
    public Bytes Size(long elements) => new(elements * bytes);
}
