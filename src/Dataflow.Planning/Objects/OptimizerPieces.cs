using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>
/// How optimizer state is cut so that a piece at a time can travel, where updates allow it, so that the cut never changes a result.
/// The largest block is cut in at most eight pieces (field notes: 8 pieces a layer hide as well as whole layers at an eighth of the
/// memory; where experts lie in groups, into as many times more), but a piece is not smaller than 64 Ki elements, where a copy's latency
/// would show.
/// </summary>
internal sealed class OptimizerPieces
{
    private const long PiecesPerBlock = 8;
    private const long SmallestPiece = 1 << 16;
    private readonly Dictionary<ParameterLayout, Piece[]> pieces = new(ReferenceEqualityComparer.Instance);

    public OptimizerPieces(Workload workload, BlockPrograms programs)
    {
        long block = programs.Kinds.Max(k => k.Parts.Where(p => p.IsTrained).Sum(p => p.ElementCount));
        long perBlock = PiecesPerBlock * (workload.Geometry.ExpertGroups ?? 1);
        long piece = (block + perBlock - 1) / perBlock;
        piece = Math.Min(Math.Max((piece + 127) / 128 * 128, SmallestPiece), Math.Max(block, SmallestPiece));
        ImmutableArray<ParameterLayout> apart = programs.ApartLayout is { IsTrained: true } own ? [own] : [];
        bool withEmbedding = workload.Model.Adapter is { AdaptsEmbedding: true };
        Order =
        [
            .. programs.HeadBlockLayouts.Reverse().Where(p => p.IsTrained),
            .. programs.HeadLayout.IsTrained ? [programs.HeadLayout] : ImmutableArray<ParameterLayout>.Empty,
            .. withEmbedding ? [] : apart,
            .. workload.Model.Layers.Reverse()
                .SelectMany(l => programs[l].PartsAsFinal.Select(p => programs[l].Parts[p]))
                .Where(p => p.IsTrained),
            .. programs.EmbeddingBlocks.Reverse().Select(b => ParameterOwner.Embedding(b).Layout(programs)).Where(p => p.IsTrained),
            .. withEmbedding ? apart : [],
        ];
        foreach (var layout in Order)
        {
            if (!pieces.ContainsKey(layout))
            {
                pieces[layout] = Cut(workload.StateOf(layout), piece);
            }
        }

        Total = Order.Sum(CountOf);
        UpdatesBetween = workload.Kind == WorkloadKind.Training && Scratch == Bytes.Zero;
        SlotSize = new Bytes(pieces.Values.SelectMany(p => p).Max(p => p.Size.Value));
    }

    /// <summary>
    /// The trained parameter objects in the order in which their gradients become final: the head's blocks from the last, head, layers from
    /// the last, embedding.
    /// </summary>
    public ImmutableArray<ParameterLayout> Order { get; }

    /// <summary>Pieces of the whole model.</summary>
    public int Total { get; }

    /// <summary>Bytes of the largest piece's state.</summary>
    public Bytes SlotSize { get; }

    /// <summary>Bytes that the largest update works in.</summary>
    public Bytes Scratch => new(pieces.Values.SelectMany(p => p).Max(p => p.Scratch.Value));

    /// <summary>
    /// Updates may run between two ops of a layer: they need not wait for other gradients, nor do they work in scratch that is in use.
    /// </summary>
    public bool UpdatesBetween { get; }

    /// <summary>Pieces of a parameter object.</summary>
    public int CountOf(ParameterLayout layout) => pieces[layout].Length;

    /// <summary>One of them.</summary>
    public Piece Of(ParameterLayout layout, int piece) => pieces[layout][piece];

    /// <summary>Seconds of all updates, where these are more than one pass over all elements.</summary>
    public double Seconds(UpdateWork work, CostModel machine)
    {
        double seconds = 0;
        foreach (var (layout, objects) in Order.CountBy(layout => layout))
        {
            var runs = pieces[layout].SelectMany(p => work.Of(layout, p.First, p.Count));
            seconds += objects * runs.Sum(run => run.Times * machine.Seconds(run.Kernel, run.Work));
        }

        return seconds;
    }

    private static Piece[] Cut(StateLayout state, long pieceElements)
    {
        var counts = state.Cut(pieceElements);
        var pieces = new Piece[counts.Length];
        long first = 0;
        for (int i = 0; i < pieces.Length; i++)
        {
            pieces[i] = new Piece(first, counts[i], state.Size(first, counts[i]), state.Scratch(first, counts[i]));
            first += counts[i];
        }

        return pieces;
    }

    /// <summary>Consecutive elements of a parameter object, and the bytes of their state and of what their update works in.</summary>
    internal readonly record struct Piece(long First, long Count, Bytes Size, Bytes Scratch);
}
