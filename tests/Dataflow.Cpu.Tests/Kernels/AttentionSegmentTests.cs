using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>Attention segment by segment has the bits of attention to the whole window, however it is cut.</summary>
public sealed unsafe class AttentionSegmentTests : KernelTest
{
    private const int Heads = 4;
    private const int KvHeads = 2;
    private const int HeadDim = 20;
    private const int Width = Heads * HeadDim;
    private const int KvWidth = 2 * KvHeads * HeadDim;
    private static readonly HeadShape Shape = new(Heads, KvHeads, HeadDim);

    /// <summary>Tokens of a chunk, pieces before it, document starts, padding tokens, storage, softcap.</summary>
    public static TheoryData<int, int, int[], int, DType, float?> Cases => new()
    {
        { 32, 5, [], 0, DType.Float32, null },
        { 50, 3, [70, 160], 7, DType.Float32, null },
        { 130, 2, [10], 0, DType.BFloat16, null },
        { 97, 4, [100, 390, 400], 0, DType.Float32, null },
        { 200, 1, [200], 3, DType.BFloat16, null },
        { 16, 6, [50], 0, DType.BFloat16, null },
        { 50, 3, [70, 160], 7, DType.Float32, 3 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_bits_are_those_of_the_whole(int tokens, int before, int[] starts, int pads, DType type, float? softcap)
    {
        var shape = Shape with { Softcap = softcap };
        int row = before * tokens, rows = row + tokens;
        int* firstKeys = Table(Documents.FirstKeys(tokens, row, starts, pads));
        Tensor q = New(tokens, Width, type).Random(1, scale: 1.5),
            kv = New(rows, KvWidth, type).Random(2, scale: 1.5),
            dO = New(tokens, Width, type).Random(3);
        Tensor o = New(tokens, Width, type).Poison(),
            lse = New(Heads, tokens).Poison(),
            dq = New(tokens, Width, type).Poison(),
            dkv = New(rows, KvWidth).Poison();
        Tensor added = New(rows, KvWidth).Random(9);
        ChunkContext at = new((nuint)firstKeys, row);
        Attention.Forward(
            Team(2),
            new AttentionForwardArguments
            {
                Query = q.T,
                Keys = new WindowRows(kv.T, 0, tokens),
                At = at,
                Heads = shape,
                Output = o.T,
                Lse = lse.Address,
            }
        );
        var backward = new AttentionBackwardArguments
        {
            Query = q.T,
            Keys = new WindowRows(kv.T, 0, tokens),
            At = at,
            Heads = shape,
            Output = o.T,
            Lse = lse.Address,
            GradOutput = dO.T,
            GradQuery = dq.T,
            GradKeyValue = dkv.T,
            Accumulate = false,
            Workspace = 0,
        };
        Attention.Backward(Team(2), backward);
        Attention.Backward(Team(2), backward with { GradKeyValue = added.T, Accumulate = true });

        for (int pieces = 1; pieces <= before + 1; pieces++)
        {
            Tensor sums = New(tokens, Width).Poison(),
                maxima = New(Heads, tokens).Poison(),
                totals = New(Heads, tokens).Poison(),
                dqSums = New(tokens, Width).Poison();
            Tensor mine = New(rows, KvWidth).Poison(),
                mineAdded = New(rows, KvWidth).Random(9);
            for (int first = 0; first < rows; first += pieces * tokens)
            {
                int count = Math.Min(pieces * tokens, rows - first);
                Attention.ForwardSegment(
                    Team(3),
                    new AttentionSegmentForwardArguments
                    {
                        Query = q.T,
                        Keys = new WindowRows(kv.T.RowRange(first, count), first, tokens),
                        At = at,
                        Heads = shape,
                        Sums = sums.Address,
                        Maxima = maxima.Address,
                        Totals = totals.Address,
                        Continues = first > 0,
                    }
                );
            }

            Tensor segmented = New(tokens, Width, type).Poison(),
                segmentedLse = New(Heads, tokens).Poison(),
                segmentedDq = New(tokens, Width, type).Poison();
            Attention.Normalize(
                Team(3),
                new AttentionNormalizeArguments
                {
                    Sums = sums.Address,
                    Maxima = maxima.Address,
                    Totals = totals.Address,
                    Heads = shape,
                    Output = segmented.T,
                    Lse = segmentedLse.Address,
                }
            );
            segmented.AssertSameBits(o);
            segmentedLse.AssertSameBits(lse);
            foreach (var (target, accumulate) in new[] { (mine, false), (mineAdded, true) })
            {
                for (int first = 0; first < rows; first += pieces * tokens)
                {
                    int count = Math.Min(pieces * tokens, rows - first);
                    Attention.BackwardSegment(
                        Team(1),
                        backward.AsSegment with
                        {
                            Keys = new WindowRows(kv.T.RowRange(first, count), first, tokens),
                            GradQuerySums = dqSums.Address,
                            Continues = first > 0,
                            GradKeyValue = target.T.RowRange(first, count),
                            Accumulate = accumulate,
                        }
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
        void Run(int first) =>
            Attention.ForwardSegment(
                Team(),
                new AttentionSegmentForwardArguments
                {
                    Query = q.T,
                    Keys = new WindowRows(kv.T, first, 8),
                    At = new ChunkContext((nuint)firstKeys, 8),
                    Heads = Shape,
                    Sums = sums.Address,
                    Maxima = floats.Address,
                    Totals = floats.Address,
                    Continues = false,
                }
            );
        Run(0);
        Assert.Throws<ArgumentException>(() => Run(4));
        Assert.Throws<ArgumentException>(() => Run(16));
    }
}
