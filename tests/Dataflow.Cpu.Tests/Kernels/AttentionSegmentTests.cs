using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>Attention segment by segment has the bits of attention to the whole window, however it is cut.</summary>
public sealed unsafe class AttentionSegmentTests : KernelTest
{
    private const int Heads = 4;
    private const int KvHeads = 2;
    private const int HeadDim = 20;
    private const int Width = Heads * HeadDim;
    private const int KvWidth = 2 * KvHeads * HeadDim;

    /// <summary>Tokens of a chunk, pieces before it, document starts, padding tokens, storage.</summary>
    public static TheoryData<int, int, int[], int, DType> Cases => new()
    {
        { 32, 5, [], 0, DType.Float32 },
        { 50, 3, [70, 160], 7, DType.Float32 },
        { 130, 2, [10], 0, DType.BFloat16 },
        { 97, 4, [100, 390, 400], 0, DType.Float32 },
        { 200, 1, [200], 3, DType.BFloat16 },
        { 16, 6, [50], 0, DType.BFloat16 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_bits_are_those_of_the_whole(int tokens, int before, int[] starts, int pads, DType type)
    {
        int row = before * tokens, rows = row + tokens;
        int* firstKeys = Table(Documents.FirstKeys(tokens, row, starts, pads));
        Tensor q = New(tokens, Width, type, 1).Random(1, scale: 1.5),
            kv = New(rows, KvWidth, type).Random(2, scale: 1.5),
            dO = New(tokens, Width, type, 2).Random(3);
        Tensor o = New(tokens, Width, type, 3).Poison(),
            lse = New(Heads, tokens).Poison(),
            dq = New(tokens, Width, type, 4).Poison(),
            dkv = New(rows, KvWidth).Poison();
        Tensor added = New(rows, KvWidth).Random(9);
        var whole = new KeyRows(kv.M, 0, tokens);
        Attention.Forward(Team(2), q.M, whole, firstKeys, row, Heads, KvHeads, HeadDim, o.M, lse.Floats);
        Attention.Backward(
            Team(2),
            q.M,
            whole,
            firstKeys,
            row,
            Heads,
            KvHeads,
            HeadDim,
            o.M,
            lse.Floats,
            dO.M,
            dq.M,
            dkv.M,
            accumulate: false
        );
        Attention.Backward(
            Team(2),
            q.M,
            whole,
            firstKeys,
            row,
            Heads,
            KvHeads,
            HeadDim,
            o.M,
            lse.Floats,
            dO.M,
            dq.M,
            added.M,
            accumulate: true
        );

        for (int pieces = 1; pieces <= before + 1; pieces++)
        {
            Tensor sums = New(tokens, Width, gap: 5).Poison(),
                maxima = New(Heads, tokens).Poison(),
                totals = New(Heads, tokens).Poison(),
                dqSums = New(tokens, Width, gap: 6).Poison();
            Tensor mine = New(rows, KvWidth).Poison(),
                mineAdded = New(rows, KvWidth).Random(9);
            for (int first = 0; first < rows; first += pieces * tokens)
            {
                int count = Math.Min(pieces * tokens, rows - first);
                var keys = new KeyRows(kv.M.RowRange(first, count), first, tokens);
                Attention.ForwardSegment(
                    Team(3),
                    q.M,
                    keys,
                    firstKeys,
                    row,
                    Heads,
                    KvHeads,
                    HeadDim,
                    sums.M,
                    maxima.Floats,
                    totals.Floats,
                    first > 0
                );
            }

            Tensor segmented = New(tokens, Width, type).Poison(),
                segmentedLse = New(Heads, tokens).Poison(),
                segmentedDq = New(tokens, Width, type).Poison();
            Attention.Normalize(Team(3), sums.M, maxima.Floats, totals.Floats, Heads, HeadDim, segmented.M, segmentedLse.Floats);
            segmented.AssertSameBits(o);
            segmentedLse.AssertSameBits(lse);
            foreach (var (target, accumulate) in new[] { (mine, false), (mineAdded, true) })
            {
                for (int first = 0; first < rows; first += pieces * tokens)
                {
                    int count = Math.Min(pieces * tokens, rows - first);
                    var keys = new KeyRows(kv.M.RowRange(first, count), first, tokens);
                    Attention.BackwardSegment(
                        Team(1),
                        q.M,
                        keys,
                        firstKeys,
                        row,
                        Heads,
                        KvHeads,
                        HeadDim,
                        o.M,
                        lse.Floats,
                        dO.M,
                        dqSums.M,
                        first > 0,
                        target.M.RowRange(first, count),
                        accumulate
                    );
                }
            }

            Fill.Round(Team(2), dqSums.M, segmentedDq.M);
            segmentedDq.AssertSameBits(dq);
            mine.AssertSameBits(dkv);
            mineAdded.AssertSameBits(added);
        }
    }

    [Fact]
    public void Segments_that_start_within_a_piece_or_beyond_the_chunk_are_refused()
    {
        Tensor q = New(8, Width), kv = New(16, KvWidth), sums = New(8, Width), floats = New(Heads, 8);
        int* firstKeys = Table(new int[8]);
        void Run(int first, Tensor to) =>
            Attention.ForwardSegment(
                Team(),
                q.M,
                new KeyRows(kv.M, first, 8),
                firstKeys,
                8,
                Heads,
                KvHeads,
                HeadDim,
                to.M,
                floats.Floats,
                floats.Floats,
                continued: false
            );
        Assert.Throws<ArgumentException>(() => Run(4, sums));
        Assert.Throws<ArgumentException>(() => Run(16, sums));
        Assert.Throws<ArgumentException>(() => Run(0, New(8, Width, DType.BFloat16)));
    }
}
