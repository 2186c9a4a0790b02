using Dataflow.Cpu.Kernels;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed unsafe class AttentionTests : KernelTest
{
    private const int PieceRows = 50;

    /// <summary>tokens, rowOffset, heads, kvHeads, headDim, document starts, pads, storage.</summary>
    public static TheoryData<int, int, int, int, int, int[], int, DType> Cases => new()
    {
        { 1, 0, 1, 1, 8, [], 0, DType.Float32 },
        { 33, 0, 2, 2, 8, [], 0, DType.Float32 },
        { 130, 0, 4, 2, 20, [50, 51, 97], 5, DType.Float32 },
        { 140, 61, 6, 2, 16, [30, 150], 0, DType.Float32 },
        { 70, 250, 2, 1, 64, [], 0, DType.Float32 },
        { 65, 200, 3, 1, 80, [190, 230], 3, DType.Float32 },
        { 100, 5, 5, 1, 128, [40], 0, DType.Float32 },
        { 40, 100, 1, 1, 256, [96], 0, DType.Float32 },
        { 40, 100, 2, 1, 512, [96], 0, DType.Float32 },
        { 33, 0, 1, 1, 320, [0], 0, DType.BFloat16 },
        { 150, 40, 8, 2, 32, [70], 9, DType.BFloat16 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_and_backward_agree_with_the_definition(
        int tokens, int rowOffset, int heads, int kvHeads, int headDim, int[] starts, int pads, DType type)
    {
        Check(new Inputs(this, new HeadShape(heads, kvHeads, headDim), tokens, rowOffset, starts, pads, type));
    }

    [Theory]
    [InlineData(0.3f, null, DType.Float32)]
    [InlineData(0.25f, 2f, DType.Float32)]
    [InlineData(0.0625f, 50f, DType.Float32)]
    [InlineData(0.25f, 2f, DType.BFloat16)]
    public void Scores_are_scaled_and_kept_within_a_softcap(float scale, float? softcap, DType type)
    {
        var heads = new HeadShape(4, 2, 20) { Scale = scale, Softcap = softcap };
        Check(new Inputs(this, heads, 130, 61, [50, 51, 97, 150], 5, type));
    }

    [Fact]
    public void The_definitions_gradient_agrees_with_finite_differences()
    {
        var definition = new AttentionDefinition(4, 2, 3, 5, Documents.FirstKeys(9, 5, [2, 8, 9]));
        double[,] q = New(9, 12).Random(1).Values();
        double[,] kv = New(14, 12).Random(2).Values();
        double[,] dO = New(9, 12).Random(3).Values();
        (double[,] dq, double[,] dkv) = definition.Backward(q, kv, dO);
        New(9, 12).Assign(dq).AssertClose(Differences(q, dO, () => definition.Forward(q, kv).O));
        New(14, 12).Assign(dkv).AssertClose(Differences(kv, dO, () => definition.Forward(q, kv).O));
        var capped = definition with { Scale = 0.9, Softcap = 0.7 };
        (dq, dkv) = capped.Backward(q, kv, dO);
        New(9, 12).Assign(dq).AssertClose(Differences(q, dO, () => capped.Forward(q, kv).O));
        New(14, 12).Assign(dkv).AssertClose(Differences(kv, dO, () => capped.Forward(q, kv).O));
    }

    [Theory]
    [InlineData("selected", DType.Float32)]
    [InlineData("512", DType.Float32)]
    [InlineData("256", DType.Float32)]
    [InlineData("scalar", DType.Float32)]
    [InlineData("selected", DType.BFloat16)]
    [InlineData("512", DType.BFloat16)]
    [InlineData("256", DType.BFloat16)]
    [InlineData("scalar", DType.BFloat16)]
    public void Every_micro_kernel_and_thread_count_gives_the_same_bits(string kernel, DType type)
    {
        var expected = new Inputs(this, new HeadShape(4, 2, 20), 130, 70, [40, 90, 120], 4, type);
        expected.Forward(Team(1));
        expected.Backward(Team(1), accumulate: false);
        foreach (int threads in ThreadCounts)
        {
            var x = new Inputs(this, new HeadShape(4, 2, 20), 130, 70, [40, 90, 120], 4, type);
            AttentionShape shape = new(x.Q.T, x.Keys, x.At, x.Heads);
            AttentionResult result = new(x.O.M, x.Lse.Floats);
            AttentionGradients gradients = new(x.O.M, x.Lse.Floats, x.DO.M, x.Dq.M, x.Dkv.M, accumulate: false);
            switch (kernel)
            {
                case "selected":
                    x.Forward(Team(threads));
                    x.Backward(Team(threads), accumulate: false);
                    break;
                case "512":
                    Attention.Forward<MicroKernel512>(Team(threads), shape, result);
                    Attention.Backward<MicroKernel512>(Team(threads), shape, gradients);
                    break;
                case "256":
                    Attention.Forward<MicroKernel256>(Team(threads), shape, result);
                    Attention.Backward<MicroKernel256>(Team(threads), shape, gradients);
                    break;
                default:
                    Attention.Forward<MicroKernelScalar>(Team(threads), shape, result);
                    Attention.Backward<MicroKernelScalar>(Team(threads), shape, gradients);
                    break;
            }

            x.O.AssertSameBits(expected.O);
            x.Lse.AssertSameBits(expected.Lse);
            x.Dq.AssertSameBits(expected.Dq);
            Own(Rows(x.Dkv, 0, 200)).AssertSameBits(Own(Rows(expected.Dkv, 0, 200)));
        }
    }

    [Fact]
    public void A_token_does_not_depend_on_how_its_sequence_is_cut_into_chunks()
    {
        var whole = new Inputs(this, new HeadShape(4, 2, 16), 200, 0, [110], 0, DType.Float32);
        whole.Forward(Team());
        foreach ((int first, int count) in new[] { (0, 64), (64, 51), (115, 85) })
        {
            Tensor o = New(count, 64).Poison();
            Tensor lse = New(4, count).Poison();
            Attention.Forward(
                Team(),
                whole.ForwardCall with
                {
                    Query = whole.Q.T.RowRange(first, count),
                    At = new ChunkContext((nuint)(whole.FirstKeys + first), first),
                    Output = o.T,
                    Lse = lse.Address,
                }
            );
            o.AssertSameBits(Own(Rows(whole.O, first, count)));
            for (int h = 0; h < 4; h++)
            {
                for (int t = 0; t < count; t++)
                {
                    Assert.Equal(whole.Lse[h, first + t], lse[h, t]);
                }
            }
        }
    }

    [Fact]
    public void Extreme_scores_stay_finite()
    {
        var x = new Inputs(this, new HeadShape(1, 1, 16), 120, 0, [], 0, DType.Float32);
        x.Q.Random(1, scale: 100);
        x.Kv.Random(2, scale: 100);
        (double[,] o, double[,] lse) = x.Definition.Forward(x.Q.Values(), x.Kv.Values());
        x.Forward(Team());
        x.O.AssertClose(o, 1e-3);
        x.Lse.AssertClose(lse, 1e-6);
        x.Backward(Team(), accumulate: false);
        x.Dq.AssertClose(x.Dq.Values());
        Own(Rows(x.Dkv, 0, 120)).AssertClose(Rows(x.Dkv.Values(), 120));
    }

    [Fact]
    public void Shapes_that_do_not_fit_are_refused()
    {
        Tensor q = New(4, 32);
        Tensor kv = New(8, 32);
        Tensor lse = New(4, 4);
        int* firstKeys = Table(5, 5, 5, 5);
        var call = new AttentionForwardArguments
        {
            Query = q.T,
            Keys = new WindowRows(kv.T, 0, 4),
            At = new ChunkContext((nuint)firstKeys, 5),
            Heads = new HeadShape(4, 2, 8),
            Output = q.T,
            Lse = lse.Address,
        };
        Assert.Throws<ArgumentException>(() => Attention.Forward(Team(), call));
        Assert.Throws<ArgumentException>(() =>
            Attention.Forward(Team(), call with { At = call.At with { Row = 0 }, Heads = new HeadShape(4, 3, 8) })
        );
    }

    private void Check(Inputs x)
    {
        var (tokens, rowOffset, type) = (x.Q.M.Rows, x.Definition.RowOffset, x.Q.M.Type);
        (double[,] o, double[,] lse) = x.Definition.Forward(x.Q.Values(), x.Kv.Values());
        x.Forward(Team(3));
        x.O.AssertClose(o);
        x.Lse.AssertClose(lse, 1e-6);

        (double[,] dq, double[,] dkv) = x.Definition.Backward(x.Q.Values(), x.Kv.Values(), x.DO.Values());
        int rows = rowOffset + tokens;
        double tolerance = type == DType.Float32 ? 2e-6 : 1e-2;
        x.Dq.Poison();
        x.Dkv.Poison();
        x.Backward(Team(), accumulate: false);
        x.Dq.AssertClose(dq, tolerance);
        Own(Rows(x.Dkv, 0, rows)).AssertClose(Rows(dkv, rows), tolerance);
        Assert.True(double.IsNaN(x.Dkv[rows, 0]), "a row beyond the chunk was written");

        x.Dkv.Random(9);
        double[,] sum = Add(x.Dkv.Values(), dkv);
        x.Backward(Team(), accumulate: true);
        x.Dkv.AssertClose(sum, tolerance);
    }

    private static double[,] Rows(double[,] from, int count)
    {
        double[,] part = new double[count, from.GetLength(1)];
        Array.Copy(from, part, part.Length);
        return part;
    }

    private static Tensor Rows(Tensor from, int first, int count)
    {
        var part = new Tensor(count, from.M.Columns, from.M.Type);
        for (int i = 0; i < count; i++)
        {
            for (int j = 0; j < from.M.Columns; j++)
            {
                part[i, j] = from[first + i, j];
            }
        }

        return part;
    }

    /// <summary>Every tensor of one case. The window has ten rows beyond the chunk, NaN in kv: nothing may read them.</summary>
    private sealed class Inputs
    {
        public Inputs(
            AttentionTests test,
            HeadShape shape,
            int tokens,
            int rowOffset,
            int[] starts,
            int pads,
            DType type
        )
        {
            var (heads, kvHeads, headDim) = Heads = shape;
            Definition = new AttentionDefinition(heads, kvHeads, headDim, rowOffset, Documents.FirstKeys(tokens, rowOffset, starts, pads))
            {
                Scale = shape.Scale,
                Softcap = shape.Softcap ?? 0,
            };
            FirstKeys = test.Table(Definition.FirstKeys);
            Q = test.New(tokens, heads * headDim, type).Random(1, scale: 1.5);
            Kv = test.New(rowOffset + tokens + 10, 2 * kvHeads * headDim, type).Random(2, scale: 1.5);
            O = test.New(tokens, heads * headDim, type).Poison();
            Lse = test.New(heads, tokens).Poison();
            DO = test.New(tokens, heads * headDim, type).Random(3);
            Dq = test.New(tokens, heads * headDim, type);
            Dkv = test.New(rowOffset + tokens + 10, 2 * kvHeads * headDim, DType.Float32);
            for (int i = rowOffset + tokens; i < Kv.M.Rows; i++)
            {
                for (int j = 0; j < Kv.M.Columns; j++)
                {
                    Kv[i, j] = double.NaN;
                }
            }
        }

        public AttentionDefinition Definition { get; }

        public HeadShape Heads { get; }

        public int* FirstKeys { get; }

        public ChunkContext At => new((nuint)FirstKeys, Definition.RowOffset);

        public Tensor Q { get; }

        public Tensor Kv { get; }

        /// <summary>The whole window, in pieces that blocks of keys do not divide.</summary>
        public WindowRows Keys => new(Kv.T, 0, PieceRows);

        public Tensor O { get; }

        public Tensor Lse { get; }

        public Tensor DO { get; }

        public Tensor Dq { get; }

        public Tensor Dkv { get; }

        public AttentionForwardArguments ForwardCall =>
            new()
            {
                Query = Q.T,
                Keys = Keys,
                At = At,
                Heads = Heads,
                Output = O.T,
                Lse = Lse.Address,
            };

        public void Forward(ThreadTeam team) => Attention.Forward(team, ForwardCall);

        public void Backward(ThreadTeam team, bool accumulate) =>
            Attention.Backward(
                team,
                new AttentionBackwardArguments
                {
                    Query = Q.T,
                    Keys = Keys,
                    At = At,
                    Heads = Heads,
                    Output = O.T,
                    Lse = Lse.Address,
                    GradOutput = DO.T,
                    GradQuery = Dq.T,
                    GradKeyValue = Dkv.T,
                    Accumulate = accumulate,
                    Workspace = 0,
                }
            );
    }
}
