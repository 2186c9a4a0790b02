using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Operand = Dataflow.Runtime.Tensor;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>
/// A row of several documents, chunk after chunk forward and back, against the definition over the whole row in float64 and its finite
/// differences.
/// </summary>
public sealed unsafe class GatedConvolutionTests : KernelTest
{
    private const int Columns = 19;

    // Documents of one token and of less than a state among them.
    private static readonly int[] s_documents = [0, 11, 12, 14, 29];
    private const int Tokens = 40;

    [Theory]
    [InlineData(40, 3, DType.Float32)]
    [InlineData(8, 4, DType.Float32)]
    [InlineData(5, 2, DType.BFloat16)]
    [InlineData(2, 5, DType.Float32)]
    [InlineData(1, 16, DType.Float32)] // 40 chunks
    [InlineData(10, 16, DType.BFloat16)]
    public void Chunks_pass_on_what_the_next_one_needs_and_its_gradient(int chunk, int taps, DType type)
    {
        Tensor x = New(Tokens, 3 * Columns, type).Random(1);
        Tensor w = New(Columns, taps, type).Random(2);
        Tensor dy = New(Tokens, Columns, type).Random(3);
        var run = Run(x, w, dy, chunk, threads: 2);
        double[,] inputs = x.Values(), by = w.Values();
        double tolerance = type == DType.Float32 ? 1e-6 : 1.0 / 128; // u is rounded, too
        run.Y.AssertClose(Definition(inputs, by), tolerance);
        run.GradX.AssertClose(Differences(inputs, dy.Values(), () => Definition(inputs, by)), tolerance);
        run.GradTaps.AssertClose(Differences(by, dy.Values(), () => Definition(inputs, by)), 2 * tolerance);
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Tensor x = New(Tokens, 3 * Columns).Random(4);
        Tensor w = New(Columns, 3).Random(5);
        Tensor dy = New(Tokens, Columns).Random(6);
        var first = Run(x, w, dy, 8, 1);
        foreach (int threads in ThreadCounts)
        {
            var other = Run(x, w, dy, 8, threads);
            first.Y.AssertSameBits(other.Y);
            first.GradX.AssertSameBits(other.GradX);
            first.GradTaps.AssertSameBits(other.GradTaps);
        }
    }

    /// <summary>All chunks forward, then back; states lie side by side, each with room that it does not need.</summary>
    private (Tensor Y, Tensor GradX, Tensor GradTaps) Run(Tensor x, Tensor w, Tensor dy, int chunk, int threads)
    {
        int taps = w.M.Columns, d = Columns, chunks = Tokens / chunk, wide = (((taps - 1) * d) + chunk - 1) / chunk;
        int* first = Table([.. Enumerable.Range(0, Tokens).Select(t => s_documents.Last(s => s <= t))]);
        Tensor y = New(Tokens, d, x.M.Type).Poison(), dx = New(Tokens, 3 * d, x.M.Type).Poison();
        Tensor states = New(Tokens, wide, x.M.Type).Poison(), gradStates = New(Tokens, wide).Poison();
        Tensor dw = New(d, taps, x.M.Type).Poison();
        Operand Rows(Tensor of, int at) => Of(of).RowRange(at * chunk, chunk);
        Operand State(Tensor of, int at) => Rows(of, at) with { Rows = taps - 1, Columns = d };
        for (int c = 0; c < chunks; c++)
        {
            GatedConvolution.Forward(Team(threads), new()
            {
                X = Rows(x, c),
                Taps = Of(w),
                At = new ChunkContext((nuint)(first + (c * chunk)), c * chunk),
                Before = c > 0 ? State(states, c - 1) : null,
                After = State(states, c),
                AfterBytes = Rows(states, c).Bytes,
                Y = Rows(y, c),
            });
        }

        for (int c = chunks - 1; c >= 0; c--)
        {
            GatedConvolution.Backward(Team(threads), new()
            {
                X = Rows(x, c),
                Taps = Of(w),
                At = new ChunkContext((nuint)(first + (c * chunk)), c * chunk),
                Before = c > 0 ? State(states, c - 1) : null,
                GradY = Rows(dy, c),
                GradStates = Of(gradStates).RowRange(0, (c + 1) * chunk),
                GradBefore = c > 0 ? State(gradStates, c - 1) : null,
                GradAfter = c < chunks - 1 ? State(gradStates, c) : null,
                Accumulate = c < chunks - 1,
                GradX = Rows(dx, c),
                GradTaps = Of(dw),
                AccumulateTaps = c < chunks - 1,
                Workspace = 0,
            });
        }

        return (y, dx, dw);
    }

    private static Operand Of(Tensor tensor) => new((nuint)tensor.M.Data, tensor.M.Type, tensor.M.Rows, tensor.M.Columns);

    private static double[,] Definition(double[,] x, double[,] taps)
    {
        int k = taps.GetLength(1);
        double[,] y = new double[Tokens, Columns];
        for (int t = 0; t < Tokens; t++)
        {
            int document = s_documents.Last(s => s <= t);
            for (int j = 0; j < Columns; j++)
            {
                double sum = 0;
                for (int at = Math.Max(document, t - k + 1); at <= t; at++)
                {
                    sum += taps[j, k - 1 - (t - at)] * x[at, j] * x[at, (2 * Columns) + j];
                }

                y[t, j] = x[t, Columns + j] * sum;
            }
        }

        return y;
    }
}
