using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Operand = Dataflow.Runtime.Tensor;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>
/// A row of several documents, chunk after chunk forward and back, against the definition over the whole row in float64 and its finite
/// differences.
/// </summary>
public sealed unsafe class CausalConvolutionTests : KernelTest
{
    private const int Columns = 19;

    // Documents of one token and of less than a state among them.
    private static readonly int[] s_documents = [0, 11, 12, 14, 29];
    private const int Tokens = 40;

    [Theory]
    [InlineData(40, 4, DType.Float32)]
    [InlineData(8, 3, DType.Float32)]
    [InlineData(5, 2, DType.BFloat16)]
    [InlineData(2, 5, DType.Float32)]
    [InlineData(1, 16, DType.Float32)] // 40 chunks
    [InlineData(10, 16, DType.BFloat16)]
    public void Chunks_pass_on_what_the_next_one_needs_and_its_gradient(int chunk, int taps, DType type)
    {
        Tensor x = New(Tokens, Columns, type, gap: 5).Random(1);
        Tensor w = New(Columns, taps, type).Random(2);
        Tensor dy = New(Tokens, Columns).Random(3), bias = New(1, Columns, type).Random(7);
        var run = Run(x, w, bias, dy, chunk, threads: 2);
        double[,] inputs = x.Values(), by = w.Values(), more = bias.Values();
        double tolerance = type == DType.Float32 ? 2e-6 : 1.0 / 256;
        run.Y.AssertClose(Definition(inputs, by, more), 2e-6);
        run.GradX.AssertClose(Differences(inputs, dy.Values(), () => Definition(inputs, by, more)), tolerance);
        run.GradTaps.AssertClose(Differences(by, dy.Values(), () => Definition(inputs, by, more)), 2 * tolerance);
        run.GradBias.AssertClose(Differences(more, dy.Values(), () => Definition(inputs, by, more)), 2 * tolerance);
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Tensor x = New(Tokens, Columns).Random(4);
        Tensor w = New(Columns, 4).Random(5);
        Tensor dy = New(Tokens, Columns).Random(6), bias = New(1, Columns).Random(7);
        var first = Run(x, w, bias, dy, 8, 1);
        foreach (int threads in ThreadCounts)
        {
            var other = Run(x, w, bias, dy, 8, threads);
            first.Y.AssertSameBits(other.Y);
            first.GradX.AssertSameBits(other.GradX);
            first.GradTaps.AssertSameBits(other.GradTaps);
            first.GradBias.AssertSameBits(other.GradBias);
        }
    }

    /// <summary>All chunks forward, then back; states lie side by side, each with room that becomes 0.</summary>
    private (Tensor Y, Tensor GradX, Tensor GradTaps, Tensor GradBias) Run(
        Tensor x, Tensor w, Tensor bias, Tensor dy, int chunk, int threads)
    {
        int taps = w.M.Columns, chunks = Tokens / chunk, wide = ((((taps - 1) * Columns) + chunk - 1) / chunk) + 3;
        int* first = Table([.. Enumerable.Range(0, Tokens).Select(t => s_documents.Last(s => s <= t))]);
        Tensor y = New(Tokens, Columns).Poison(), dx = New(Tokens, Columns, x.M.Type, gap: 2).Poison();
        Tensor states = New(Tokens, wide).Poison(), gradStates = New(Tokens, wide).Poison(), dw = New(Columns, taps).Poison();
        Tensor db = New(1, Columns).Poison();
        Operand Rows(Tensor of, int at) => of.Wide.RowRange(at * chunk, chunk);
        Operand? State(Tensor of, int at) =>
            at < 0 || at >= chunks ? null : Rows(of, at) with { Rows = taps - 1, Columns = Columns, Stride = Columns };
        for (int c = 0; c < chunks; c++)
        {
            CausalConvolution.Forward(Team(threads), new()
            {
                X = Rows(x, c),
                Taps = w.T,
                Bias = bias.T,
                At = new ChunkContext((nuint)(first + (c * chunk)), c * chunk),
                Before = State(states, c - 1),
                After = State(states, c),
                AfterBytes = Rows(states, c).Bytes,
                Y = Rows(y, c),
            });
            Assert.Equal(0, states[((c + 1) * chunk) - 1, wide - 1]);
        }

        for (int c = chunks - 1; c >= 0; c--)
        {
            CausalConvolution.Backward(Team(threads), new()
            {
                X = Rows(x, c),
                Taps = w.T,
                Bias = bias.T,
                At = new ChunkContext((nuint)(first + (c * chunk)), c * chunk),
                Before = State(states, c - 1),
                GradY = Rows(dy, c),
                GradBefore = State(gradStates, c - 1),
                GradAfter = c < chunks - 1 ? State(gradStates, c) : null,
                GradX = Rows(dx, c),
                GradTaps = dw.T,
                GradBias = db.T,
                AccumulateTaps = c < chunks - 1,
                Workspace = 0,
            });
        }

        return (y, dx, dw, db);
    }

    private static double[,] Definition(double[,] x, double[,] taps, double[,] bias)
    {
        int k = taps.GetLength(1);
        double[,] y = new double[Tokens, Columns];
        for (int t = 0; t < Tokens; t++)
        {
            int document = s_documents.Last(s => s <= t);
            for (int j = 0; j < Columns; j++)
            {
                double sum = bias[0, j];
                for (int at = Math.Max(document, t - k + 1); at <= t; at++)
                {
                    sum += taps[j, k - 1 - (t - at)] * x[at, j];
                }

                y[t, j] = sum / (1 + Math.Exp(-sum));
            }
        }

        return y;
    }
}
