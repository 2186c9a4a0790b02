using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Operand = Dataflow.Runtime.Tensor;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>The kernels of mixtures against their definitions in float64, for any number of threads.</summary>
public sealed unsafe class ExpertsTests : KernelTest
{
    private const int Tokens = 30;

    private static Operand Of(Tensor tensor) => new((nuint)tensor.M.Data, tensor.M.Type, tensor.M.Rows, tensor.M.Columns);

    private static nuint At(Tensor tensor) => (nuint)tensor.M.Data;

    /// <summary>Weights by what the router says, and their gradient by differences, for every rule.</summary>
    [Theory]
    [InlineData(RouterScore.Softmax, false)]
    [InlineData(RouterScore.Softmax, true)]
    [InlineData(RouterScore.Sigmoid, false)]
    [InlineData(RouterScore.Sigmoid, true)]
    public void Weights_and_their_gradients_are_those_of_the_rule(RouterScore score, bool normalised)
    {
        var mixture = new ExpertMixture(7, 3, 1) { Score = score, Normalised = normalised, Scale = 1.5, GatesShared = true };
        Tensor logits = New(Tokens, 8).Random(1), grads = New(Tokens * 3, 1).Random(2), gates = New(Tokens, 1).Random(3);
        foreach (int threads in ThreadCounts)
        {
            var run = Route(mixture, logits, grads, gates, threads);
            double[,] z = logits.Values();
            run.Weights.AssertClose(Weights(mixture, z, run), 1e-6);
            double[,] byRow = grads.Values(), byToken = gates.Values();
            double[,] want = new double[Tokens, 8];
            double[,] routed = Differences(z, byRow, () => Weights(mixture, z, run));
            double[,] shared = Differences(z, byToken, () => Gate(z));
            run.GradLogits.AssertClose(Add(Add(want, routed), shared), 1e-6);
        }
    }

    [Fact]
    public void Rows_are_ordered_by_expert_then_token_and_the_lower_index_wins()
    {
        var mixture = new ExpertMixture(7, 3, 1);
        Tensor logits = New(Tokens, 7).Random(4);
        for (int e = 0; e < 7; e++)
        {
            ((float*)logits.M.Row(5))[e] = 0.25f; // a token that could have any
            ((float*)logits.M.Row(6))[e] = float.NaN; // and one of which nothing is known
        }

        var run = Route(mixture, logits, null, null, 2);
        Assert.Equal([0, 1, 2], new Span<int>(run.Choices + (5 * 3), 3).ToArray());
        Assert.Equal(3, new Span<int>(run.Choices + (6 * 3), 3).ToArray().Distinct().Count());
        int[] counts = [.. Enumerable.Range(0, 7).Select(e => new Span<int>(run.Choices, Tokens * 3).ToArray().Count(c => c == e))];
        for (int e = 0; e < 7; e++)
        {
            Assert.Equal(counts[e], run.First[e + 1] - run.First[e]);
            int[] tokens = new Span<int>(run.Tokens + run.First[e], counts[e]).ToArray();
            Assert.Equal(tokens.Order(), tokens);
        }

        for (int i = 0; i < Tokens * 3; i++)
        {
            Assert.Equal(i / 3, run.Tokens[run.Places[i]]);
        }
    }

    /// <summary>What is added to scores decides who is chosen, and not how much they count.</summary>
    [Theory]
    [InlineData(RouterScore.Sigmoid)]
    [InlineData(RouterScore.Softmax)]
    public void A_correction_changes_the_choice_and_no_weight(RouterScore score)
    {
        var mixture = new ExpertMixture(7, 3, 1) { Score = score, Normalised = true };
        Tensor logits = New(Tokens, 7).Random(6), correction = New(1, 7);
        double[,] z = logits.Values();
        double[] added = [0, 0.4, -0.3, 0, 0.9, 0, 0.1];
        for (int e = 0; e < 7; e++)
        {
            ((float*)correction.M.Row(0))[e] = (float)added[e];
        }

        var run = Route(mixture, logits, null, null, 2, correction);
        run.Weights.AssertClose(Weights(mixture, z, run), 1e-6);
        for (int t = 0; t < Tokens; t++)
        {
            double Raw(int e) => score == RouterScore.Sigmoid ? 1 / (1 + Math.Exp(-z[t, e])) : Math.Exp(z[t, e]);
            double all = score == RouterScore.Sigmoid ? 1 : Enumerable.Range(0, 7).Sum(Raw);
            int[] want = [.. Enumerable.Range(0, 7).OrderByDescending(e => (Raw(e) / all) + added[e]).Take(3)];
            Assert.Equal(want, new Span<int>(run.Choices + (t * 3), 3).ToArray());
        }
    }

    /// <summary>Shared out at random, all of one expert, and one row each.</summary>
    /// <summary>A group counts by its best expert, or by its two best where scores are logistic functions, corrections included.</summary>
    [Theory]
    [InlineData(RouterScore.Softmax, false)]
    [InlineData(RouterScore.Sigmoid, false)]
    [InlineData(RouterScore.Sigmoid, true)]
    public void Experts_are_those_of_the_best_groups(RouterScore score, bool corrected)
    {
        const int Size = 3;
        var mixture = new ExpertMixture(4 * Size, 4, 1) { Score = score, Groups = 4, GroupsPerToken = 2 };
        Tensor logits = New(Tokens, mixture.Count).Random(6), correction = New(1, mixture.Count).Random(7);
        double[,] z = logits.Values(), added = correction.Values();
        for (int e = 0; e < mixture.Count; e++)
        {
            ((float*)logits.M.Row(5))[e] = 0.25f; // of groups that are alike the first
        }

        var run = Route(mixture, logits, null, null, 2, corrected ? correction : null);
        for (int t = 0; t < Tokens; t++)
        {
            double By(int e) => t == 5 && !corrected ? 0
                : (score == RouterScore.Sigmoid ? 1 / (1 + Math.Exp(-(t == 5 ? 0.25 : z[t, e]))) : z[t, e]) + (corrected ? added[0, e] : 0);
            var of = Enumerable.Range(0, mixture.Count).GroupBy(e => e / Size);
            var groups = of.OrderByDescending(g => g.Select(By).OrderDescending().Take(score == RouterScore.Sigmoid ? 2 : 1).Sum()).Take(2);
            Assert.Equal(
                groups.SelectMany(g => g).Order().OrderByDescending(By).Take(4), new Span<int>(run.Choices + (t * 4), 4).ToArray());
        }
    }

    [Theory]
    [InlineData(DType.Float32, 0)]
    [InlineData(DType.Float32, 1)]
    [InlineData(DType.BFloat16, 2)]
    public void Products_are_those_of_each_experts_rows(DType type, int kind)
    {
        const int Experts = 30, Height = 9, Width = 20;
        int[] first = [.. Enumerable.Range(0, Experts + 1).Select(e => kind == 1 ? (e > 4 ? Tokens : 0) : kind == 2 ? e : e / 4 * 4)];
        first[Experts] = Tokens;
        int* table = Table(first);
        Tensor a = New(Tokens, Width, type).Random(1), b = New(Experts * Height, Width, type).Random(2);
        Tensor g = New(Tokens, Height, type).Random(3), c = New(Tokens, Height, type), dx = New(Tokens, Width, type);
        Tensor dw = New(Experts * Height, Width).Random(4);
        double[,] old = dw.Values();
        GroupedGemm.Run(Team(), Call(a, b, Transpose.Yes, c));
        GroupedGemm.Run(Team(), Call(g, b, Transpose.No, dx));
        Tensor part = New(Tokens, Height, type, gap: 3).Random(5);
        double[,] before = part.Values();
        GroupedGemm.Run(Team(), Call(a, b, Transpose.Yes, part) with { C = part.Wide, Accumulate = true, Scale = 0.5f });
        GroupedGemm.WeightGradient(Team(), new()
        {
            A = Of(g),
            B = Of(a),
            C = Of(dw),
            ExpertRows = (nuint)table,
            Experts = Experts,
            Accumulate = true,
            Scale = 1,
        });

        double[,] x = a.Values(), w = b.Values(), dy = g.Values();
        double[,] wantC = new double[Tokens, Height], wantX = new double[Tokens, Width];
        for (int e = 0; e < Experts; e++)
        {
            for (int r = first[e]; r < first[e + 1]; r++)
            {
                for (int i = 0; i < Height; i++)
                {
                    for (int j = 0; j < Width; j++)
                    {
                        wantC[r, i] += x[r, j] * w[(e * Height) + i, j];
                        wantX[r, j] += dy[r, i] * w[(e * Height) + i, j];
                        old[(e * Height) + i, j] += dy[r, i] * x[r, j];
                    }
                }
            }
        }

        double tolerance = type == DType.Float32 ? 1e-6 : 1.0 / 128;
        c.AssertClose(wantC, tolerance);
        dx.AssertClose(wantX, tolerance);
        for (int i = 0; i < before.Length; i++)
        {
            before[i / Height, i % Height] += wantC[i / Height, i % Height] / 2;
        }

        part.AssertClose(before, tolerance);
        dw.AssertClose(old, 1e-6);

        GroupedGemmArguments Call(Tensor from, Tensor by, Transpose transpose, Tensor to) =>
            new()
            {
                A = Of(from),
                B = Of(by),
                TransposeB = transpose,
                C = Of(to),
                ExpertRows = (nuint)table,
                Experts = Experts,
                Accumulate = false,
                Scale = 1,
            };
    }

    [Fact]
    public void Rows_of_experts_that_do_not_follow_each_other_are_refused()
    {
        Tensor a = New(4, 3).Random(1), b = New(6, 3).Random(2), c = New(4, 3);
        int* table = Table(0, 3, 2);
        Assert.Throws<ArgumentException>(() => GroupedGemm.Run(Team(), new()
        {
            A = Of(a),
            B = Of(b),
            TransposeB = Transpose.Yes,
            C = Of(c),
            ExpertRows = (nuint)table,
            Experts = 2,
            Accumulate = false,
            Scale = 1,
        }));
    }

    [Theory]
    [InlineData(DType.Float32, 37, true)]
    [InlineData(DType.BFloat16, 16, true)]
    [InlineData(DType.Float32, 37, false)]
    [InlineData(DType.BFloat16, 16, false)]
    public void Weighted_units_and_their_gradients_are_those_of_their_definition(DType type, int columns, bool gated)
    {
        Tensor gateUp = New(Tokens, (gated ? 2 : 1) * columns, type).Random(1), weights = New(Tokens, 1).Random(2);
        Tensor ds = New(Tokens, columns, type).Random(3);
        Tensor forward = New(Tokens, columns, type), grads = New(Tokens, 1);
        double[,] gu = gateUp.Values(), w = weights.Values(), outer = ds.Values();
        double[,] Unit()
        {
            double[,] s = new double[Tokens, columns];
            for (int t = 0; t < Tokens; t++)
            {
                for (int j = 0; j < columns; j++)
                {
                    s[t, j] = w[t, 0] * gu[t, j] / (1 + Math.Exp(-gu[t, j])) * (gated ? gu[t, columns + j] : 1);
                }
            }

            return s;
        }

        var (want, wantGates, wantWeights) = (Unit(), Differences(gu, outer, Unit), Differences(w, outer, Unit));
        WeightedActivation.Forward(Team(), new()
        {
            Activation = Activation.Silu,
            Gated = gated,
            GateUp = Of(gateUp),
            Weights = At(weights),
            Ffn = Of(forward),
        });
        WeightedActivation.Backward(Team(), new()
        {
            Activation = Activation.Silu,
            Gated = gated,
            GateUp = Of(gateUp),
            GradFfn = Of(ds),
            Weights = At(weights),
            GradWeights = At(grads),
        });
        double tolerance = type == DType.Float32 ? 1e-6 : 1.0 / 128;
        forward.AssertClose(want, tolerance);
        forward.AssertSameBits(ds);
        gateUp.AssertClose(wantGates, tolerance);
        grads.AssertClose(wantWeights, 1e-6);
    }

    [Fact]
    public void Named_rows_are_added_up_to_an_addend_and_in_place()
    {
        Tensor from = New(9, 21).Random(1), to = New(4, 21).Random(2);
        double[,] x = from.Values(), want = to.Values();
        int[] rows = [0, 8, 3, 3, 7, 1, 2, 0];
        for (int i = 0; i < rows.Length * 21; i++)
        {
            want[i / 42, i % 21] += 0.5 * x[rows[i / 21], i % 21];
        }

        var call = new SumRowsArguments
        {
            From = Of(from),
            Rows = (nuint)Table(rows),
            Count = 2,
            Addend = Of(to),
            To = Of(to),
            Scale = 0.5f,
        };
        Rows.Sum(Team(), call);
        to.AssertClose(want, 1e-6);
        Assert.Throws<ArgumentException>(() => Rows.Sum(Team(), call with { Rows = (nuint)Table(0, 8, 3, 9, 7, 1, 2, 0) }));
    }

    private static double[,] Weights(ExpertMixture mixture, double[,] z, in Routes run)
    {
        double[,] weights = new double[Tokens * mixture.PerToken, 1];
        for (int t = 0; t < Tokens; t++)
        {
            double Raw(int e) => mixture.Score == RouterScore.Sigmoid ? 1 / (1 + Math.Exp(-z[t, e])) : Math.Exp(z[t, e]);
            int[] chosen = new Span<int>(run.Choices + (t * mixture.PerToken), mixture.PerToken).ToArray();
            double sum = mixture.Normalised ? chosen.Sum(Raw)
                : mixture.Score == RouterScore.Softmax ? Enumerable.Range(0, mixture.Count).Sum(Raw)
                : 1;
            for (int j = 0; j < chosen.Length; j++)
            {
                weights[run.Places[(t * mixture.PerToken) + j], 0] = mixture.Scale * Raw(chosen[j]) / sum;
            }
        }

        return weights;
    }

    private static double[,] Gate(double[,] z)
    {
        double[,] gates = new double[Tokens, 1];
        for (int t = 0; t < Tokens; t++)
        {
            gates[t, 0] = 1 / (1 + Math.Exp(-z[t, 7]));
        }

        return gates;
    }

    private readonly struct Routes(Tensor weights, Tensor gradLogits)
    {
        public Tensor Weights => weights;

        public Tensor GradLogits => gradLogits;

        public required int* Choices { get; init; }

        public required int* Places { get; init; }

        public required int* Tokens { get; init; }

        public required int* First { get; init; }
    }

    private Routes Route(ExpertMixture mixture, Tensor logits, Tensor? grads, Tensor? gates, int threads, Tensor? correction = null)
    {
        int rows = Tokens * mixture.PerToken;
        Tensor weights = New(rows, 1), shared = New(Tokens, 1), gradient = New(Tokens, logits.M.Columns);
        Tensor workspace = New((int)KernelWorkspace.Routing(Tokens, mixture.Count, mixture.PerToken).Value / 4, 1);
        var run = new Routes(weights, gradient)
        {
            Choices = Table(new int[rows]),
            Places = Table(new int[rows]),
            Tokens = Table(new int[rows]),
            First = Table(new int[mixture.Count + 1]),
        };
        Routing.Forward(Team(threads), new()
        {
            Mixture = mixture,
            Logits = Of(logits),
            Correction = correction is null ? 0 : At(correction),
            Choices = (nuint)run.Choices,
            Places = (nuint)run.Places,
            Tokens = (nuint)run.Tokens,
            ExpertRows = (nuint)run.First,
            Weights = At(weights),
            SharedWeights = At(shared),
            Workspace = At(workspace),
        });
        if (grads is not null && gates is not null)
        {
            Routing.Backward(Team(threads), new()
            {
                Mixture = mixture,
                Logits = Of(logits),
                Choices = (nuint)run.Choices,
                Places = (nuint)run.Places,
                GradWeights = At(grads),
                GradSharedWeights = At(gates),
                Load = 0,
                LoadFactor = 0,
                SquareFactor = 0,
                GradLogits = Of(gradient),
            });
        }

        return run;
    }
}
