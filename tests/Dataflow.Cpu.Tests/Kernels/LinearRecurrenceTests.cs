using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Operand = Dataflow.Runtime.Tensor;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>
/// A row of several documents, chunk after chunk forward and back, against the recurrence token by token in float64 and its finite
/// differences.
/// </summary>
public sealed unsafe class LinearRecurrenceTests : KernelTest
{
    // Borders at an edge of a block of 64, of chunks, within them, and a document of one token.
    private int[] documents = [0, 11, 12, 64, 75];
    private const int Tokens = 96;

    [Theory]
    [Trait("Slow", "true")]
    [InlineData(96, 1, 2, 5, 3)]
    [InlineData(32, 2, 2, 3, 17)]
    [InlineData(3, 1, 3, 4, 2)]
    [InlineData(48, 1, 1, 18, 2)]
    public void Chunks_pass_on_their_state_and_its_gradient(int chunk, int keyHeads, int heads, int keyDim, int valueDim) =>
        AssertAgrees(new Recurrence(keyHeads, heads, keyDim, valueDim, 4), chunk);

    [Fact]
    public void A_token_may_overcorrect() => AssertAgrees(new Recurrence(1, 2, 5, 3, 4) { MostCorrection = 2 }, 32);

    /// <summary>Steps have bounds, which some reach; values join the result.</summary>
    [Theory]
    [Trait("Slow", "true")]
    [InlineData(96, 1, 2, 5, 3)]
    [InlineData(3, 2, 4, 4, 17)]
    public void So_do_chunks_of_a_state_space(int chunk, int groups, int heads, int stateDim, int headDim) =>
        AssertAgrees(
            new Recurrence(groups, heads, stateDim, headDim, 4)
            {
                Rule = RecurrenceRule.StateSpace,
                LeastStep = 0.25f,
                MostStep = 1,
            },
            chunk);

    /// <summary>
    /// A row of one document, and a loss of its last chunk alone: what the first of 32 chunks gets of it has come through all between.
    /// </summary>
    [Theory]
    [Trait("Slow", "true")]
    [InlineData(RecurrenceRule.GatedDelta)]
    [InlineData(RecurrenceRule.StateSpace)]
    public void A_gradient_goes_back_through_32_chunks(RecurrenceRule rule)
    {
        const int Chunk = Tokens / 32;
        documents = [0];
        var shape = new Recurrence(1, 2, 4, 3, 4) { Rule = rule, LeastStep = 0.1f, MostStep = 1 };
        Inputs at = New(shape, DType.Float32);
        at.Decay.Random(3, offset: -5);
        at.Gates.Random(2, offset: -2); // little of the state is corrected
        for (int i = 0; i < (Tokens - Chunk) * shape.ValueWidth; i++)
        {
            at.GradY[i / shape.ValueWidth, i % shape.ValueWidth] = 0;
        }

        var run = Run(at, Chunk, threads: 2);
        double[][,] values = at.Values();
        for (int input = 0; input < 2; input++)
        {
            double[,] want = Differences(values[input], at.GradY.Values(), () => Recur(shape, values));
            double error = 0, norm = 0;
            for (int i = 0; i < Chunk * want.GetLength(1); i++)
            {
                var (row, column) = (i / want.GetLength(1), i % want.GetLength(1));
                error += Math.Pow(run.Gradients[input][row, column] - want[row, column], 2);
                norm += Math.Pow(want[row, column], 2);
            }

            Assert.InRange(Math.Sqrt(norm), 1e-4, 10);
            Assert.InRange(Math.Sqrt(error / norm), 0, 2e-5);
        }
    }

    /// <summary>Gates and results are rounded, what is between is not.</summary>
    [Fact]
    public void Of_bf16_only_what_goes_in_and_out_is_rounded()
    {
        var shape = new Recurrence(1, 2, 5, 3, 4);
        Inputs at = New(shape, DType.BFloat16);
        var run = Run(at, 32, threads: 1);
        double[][,] values = at.Values();
        run.Y.AssertClose(Recur(shape, values), 1e-5);
        run.Gradients[1].AssertClose(Differences(values[1], at.GradY.Values(), () => Recur(shape, values)), 1.0 / 128);
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Inputs at = New(new Recurrence(2, 6, 9, 20, 4), DType.Float32);
        var first = Run(at, 48, 1);
        foreach (int threads in ThreadCounts)
        {
            var other = Run(at, 48, threads);
            first.Y.AssertSameBits(other.Y);
            for (int i = 0; i < first.Gradients.Length; i++)
            {
                first.Gradients[i].AssertSameBits(other.Gradients[i]);
            }
        }
    }

    private void AssertAgrees(Recurrence shape, int chunk)
    {
        Inputs at = New(shape, DType.Float32);
        var run = Run(at, chunk, threads: 2);
        double[][,] values = at.Values();
        double[,] dy = at.GradY.Values();
        double[,] Definition() => Recur(shape, values);
        run.Y.AssertClose(Definition(), 1e-5);
        for (int i = 0; i < run.Gradients.Length; i++)
        {
            run.Gradients[i].AssertClose(Differences(values[i], dy, Definition), 2e-5);
        }
    }

    private sealed record Inputs(
        Recurrence Shape, Tensor Channels, Tensor Gates, Tensor Decay, Tensor StepBias, Tensor? Skip, Tensor GradY)
    {
        public double[][,] Values() =>
            [.. new[] { Channels, Gates, Decay, StepBias, Skip }.OfType<Tensor>().Select(t => t.Values())];
    }

    private Inputs New(Recurrence shape, DType type) =>
        new(
            shape,
            New(Tokens, shape.Channels).Random(1),
            New(Tokens, shape.Gates, type, gap: 7).Random(2),
            New(1, shape.Heads, type).Random(3),
            New(1, shape.Heads, type).Random(4, offset: -1),
            shape.Corrects ? null : New(1, shape.Heads, type).Random(6),
            New(Tokens, shape.ValueWidth, type).Random(5));

    /// <summary>All chunks forward, then back; states lie side by side, each behind numbers of a convolution.</summary>
    private (Tensor Y, Tensor[] Gradients) Run(Inputs at, int chunk, int threads)
    {
        Recurrence shape = at.Shape;
        var type = at.Gates.M.Type;
        int chunks = Tokens / chunk, wide = (int)((shape.ConvolutionState + shape.HeadStates + chunk - 1) / chunk);
        int* first = Table([.. Enumerable.Range(0, Tokens).Select(t => documents.Last(s => s <= t))]);
        Tensor y = New(Tokens, shape.ValueWidth).Poison();
        Tensor states = New(Tokens, wide).Poison(), gradStates = New(Tokens, wide).Poison();
        Tensor workspace = New(1, (int)(KernelWorkspace.LinearRecurrence(chunk, shape).Value / sizeof(float))).Poison();
        Tensor channels = New(Tokens, shape.Channels).Poison(), gates = New(Tokens, shape.Gates, type, gap: 3).Poison();
        Tensor decay = New(1, shape.Heads).Poison(), bias = New(1, shape.Heads).Poison();
        Tensor? skip = at.Skip is null ? null : New(1, shape.Heads).Poison();
        Operand Rows(Tensor of, int c) => of.Wide.RowRange(c * chunk, chunk);
        Operand? State(Tensor of, int c) =>
            c < 0 || c >= chunks
                ? null
                : new Operand(
                    Rows(of, c).Address + (nuint)(shape.ConvolutionState * sizeof(float)),
                    DType.Float32,
                    shape.Heads * shape.KeyDim,
                    shape.ValueDim);
        for (int c = 0; c < chunks; c++)
        {
            LinearRecurrence.Forward(Team(threads), new()
            {
                Shape = shape,
                Channels = Rows(at.Channels, c),
                Gates = Rows(at.Gates, c),
                Decay = at.Decay.T,
                StepBias = at.StepBias.T,
                Skip = at.Skip?.T,
                At = new ChunkContext((nuint)(first + (c * chunk)), c * chunk),
                Before = State(states, c - 1),
                After = State(states, c),
                Y = Rows(y, c),
                Workspace = workspace.Address,
            });
        }

        for (int c = chunks - 1; c >= 0; c--)
        {
            bool last = c == chunks - 1;
            LinearRecurrence.Backward(Team(threads), new()
            {
                Shape = shape,
                Channels = Rows(at.Channels, c),
                Gates = Rows(at.Gates, c),
                Decay = at.Decay.T,
                StepBias = at.StepBias.T,
                Skip = at.Skip?.T,
                At = new ChunkContext((nuint)(first + (c * chunk)), c * chunk),
                Before = State(states, c - 1),
                GradY = Rows(at.GradY, c),
                GradStates = gradStates.T.RowRange(0, (c + 1) * chunk),
                GradBefore = State(gradStates, c - 1),
                GradAfter = last ? null : State(gradStates, c),
                Accumulate = !last,
                GradChannels = Rows(channels, c),
                GradGates = Rows(gates, c),
                GradDecay = decay.T,
                GradStepBias = bias.T,
                GradSkip = skip?.T,
                AccumulateVectors = !last,
                Workspace = workspace.Address,
            });
        }

        return (y, [channels, gates, decay, bias, .. skip is { } some ? [some] : Array.Empty<Tensor>()]);
    }

    private double[,] Recur(Recurrence shape, double[][,] inputs)
    {
        var (channels, gates, decay, bias) = (inputs[0], inputs[1], inputs[2], inputs[3]);
        var (dk, dv) = (shape.KeyDim, shape.ValueDim);
        double[,] y = new double[Tokens, shape.ValueWidth];
        for (int h = 0; h < shape.Heads; h++)
        {
            double[,] state = new double[dk, dv];
            int keyHead = h / (shape.Heads / shape.KeyHeads);
            for (int t = 0; t < Tokens; t++)
            {
                if (documents.Contains(t))
                {
                    Array.Clear(state);
                }

                double[] q = Length(t, keyHead * dk, 1 / Math.Sqrt(dk)), k = Length(t, shape.KeyWidth + (keyHead * dk), 1);
                double step = Math.Log(1 + Math.Exp(gates[t, shape.Gates - shape.Heads + h] + bias[0, h]));
                step = shape.Corrects ? step : Math.Clamp(step, shape.LeastStep, shape.MostStep!.Value);
                double beta = shape.Corrects ? shape.MostCorrection / (1 + Math.Exp(-gates[t, h])) : step;
                double keep = Math.Exp(-Math.Exp(decay[0, h]) * step);
                for (int j = 0; j < dv; j++)
                {
                    double read = 0;
                    for (int a = 0; a < dk; a++)
                    {
                        state[a, j] *= keep;
                        read += state[a, j] * k[a];
                    }

                    double value = channels[t, (2 * shape.KeyWidth) + (h * dv) + j];
                    double written = beta * (shape.Corrects ? value - read : value);
                    y[t, (h * dv) + j] += shape.Corrects ? 0 : inputs[4][0, h] * value;
                    for (int a = 0; a < dk; a++)
                    {
                        state[a, j] += k[a] * written;
                        y[t, (h * dv) + j] += state[a, j] * q[a];
                    }
                }
            }
        }

        return y;

        double[] Length(int t, int column, double scale)
        {
            double sum = shape.Corrects ? 1e-6 : scale * scale;
            for (int a = 0; a < dk && shape.Corrects; a++)
            {
                sum += channels[t, column + a] * channels[t, column + a];
            }

            return [.. Enumerable.Range(column, dk).Select(c => channels[t, c] * scale / Math.Sqrt(sum))];
        }
    }
}
