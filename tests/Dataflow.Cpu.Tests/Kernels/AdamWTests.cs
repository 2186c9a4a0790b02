using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class AdamWTests : KernelTest
{
    private const int Count = 100_003;

    [Theory]
    [InlineData(true, 0.95)]
    [InlineData(false, 0.999)]
    public void Ten_steps_in_fp32_agree_with_the_definition(bool decay, double beta2)
    {
        var settings = new OptimizerSettings(1e-2f, 0.9f, (float)beta2, 1e-8f, decay ? 0.1f : 0);
        Tensor w = New(1, Count).Random(1);
        Tensor m = New(1, Count);
        Tensor v = New(1, Count);
        (double[,] ws, double[,] ms, double[,] vs) = (w.Values(), m.Values(), v.Values());
        for (int step = 1; step <= 10; step++)
        {
            Tensor g = New(1, Count).Random(10 + step);
            Update(w, g, m, v, settings, step, Team(step % 3 + 1));
            Define(ws, g, ms, vs, (1e-2, 0.9, beta2, 1e-8, decay ? 0.1 : 0), step);
        }

        w.AssertClose(ws);
        m.AssertClose(ms);
        v.AssertClose(vs);
        Tensor moved = New(1, Count).Random(1);
        for (int j = 0; j < Count; j++)
        {
            (ws[0, j], moved[0, j]) = (ws[0, j] - moved[0, j], w[0, j] - moved[0, j]);
        }

        // Each step rounds weights about ten times as large as what they have moved.
        moved.AssertClose(ws, 1e-5);
    }

    [Fact]
    public void Storage_in_bf16_rounds_each_value_once()
    {
        Tensor w = New(1, 999, DType.BFloat16).Random(1);
        Tensor g = New(1, 999, DType.BFloat16).Random(2);
        Tensor m = New(1, 999, DType.BFloat16).Random(3, 0.1);
        Tensor v = New(1, 999, DType.BFloat16).Random(4, 0.01, offset: 1);
        (double[,] ws, double[,] ms, double[,] vs) = (w.Values(), m.Values(), v.Values());
        Update(w, g, m, v, Optimizer.AdamW.Defaults, 7, Team());
        Define(ws, g, ms, vs, (3e-4, 0.9, 0.95, 1e-8, 0.1), 7);
        foreach ((Tensor actual, double[,] expected) in new[] { (w, ws), (m, ms), (v, vs) })
        {
            Tensor rounded = New(1, 999, DType.BFloat16);
            int different = 0;
            for (int j = 0; j < 999; j++)
            {
                rounded[0, j] = expected[0, j];
                different += rounded[0, j] == actual[0, j] ? 0 : 1;
            }

            Assert.True(different <= 2, $"{different} values are not the rounded definition");
        }
    }

    [Theory]
    [InlineData(double.NaN, 1)]
    [InlineData(double.PositiveInfinity, 1)]
    [InlineData(1, float.NaN)]
    public unsafe void A_norm_that_is_not_finite_leaves_all_as_it_is(double square, float clip)
    {
        double* norms = stackalloc double[] { 0.5, square };
        foreach (var type in new[] { DType.Float32, DType.BFloat16 })
        {
            Tensor w = New(1, 99, type).Random(1), g = New(1, 99, type).Random(2), m = New(1, 99, type).Random(3);
            Tensor v = New(1, 99, type).Random(4, 0.01, offset: 1);
            var before = new[] { w, m, v }.Select(t => t.Values()).ToList();
            var call = Call(w, g, m, v) with { Norms = (nuint)norms, NormCount = 2 };
            Cpu.Kernels.Update.Run(Team(), call, new StepArguments(3, Optimizer.AdamW.Defaults, 1, clip));
            Assert.Equal(before, new[] { w, m, v }.Select(t => t.Values()));
        }
    }

    [Fact]
    public void Master_weights_are_updated_as_fp32_ones_and_the_weights_are_these_rounded()
    {
        Tensor plain = New(1, Count).Random(1), master = New(1, Count).Random(1), w = New(1, Count, DType.BFloat16);
        Tensor m = New(1, Count), v = New(1, Count), plainM = New(1, Count), plainV = New(1, Count);
        for (int step = 1; step <= 3; step++)
        {
            Tensor g = New(1, Count).Random(10 + step);
            Update(plain, g, plainM, plainV, Optimizer.AdamW.Defaults, step, Team());
            var call = Call(w, g, m, v);
            Cpu.Kernels.Update.Run(
                Team(),
                call with { Range = call.Range with { Master = master.Address }, Recipe = call.Recipe with { Master = DType.Float32 } },
                new StepArguments(step, Optimizer.AdamW.Defaults, 1)
            );
        }

        Tensor rounded = New(1, Count, DType.BFloat16);
        for (int j = 0; j < Count; j++)
        {
            rounded[0, j] = plain[0, j];
            Assert.Equal(plain[0, j], master[0, j]);
            Assert.Equal(rounded[0, j], w[0, j]);
        }
    }

    [Fact]
    public void Stochastic_rounding_gives_a_neighbour_and_the_right_mean_whatever_the_cut()
    {
        const int count = 1 << 16, cut = 4_096 + 8;
        Tensor g = New(1, count).Random(2);
        var whole = Stochastic(g, 0, count, seed: 7);
        Tensor exact = New(1, count).Random(1), exactM = New(1, count), exactV = New(1, count);
        for (int j = 0; j < count; j++)
        {
            exact[0, j] = New(1, 1, DType.BFloat16).Random(1)[0, 0];
        }

        Update(exact, g, exactM, exactV, Optimizer.AdamW.Defaults, 1, Team());
        double sum = 0, squares = 0;
        for (int j = 0; j < count; j++)
        {
            double error = whole.W[0, j] - exact[0, j], step = Math.ScaleB(1, Math.ILogB(exact[0, j]) - 7);
            Assert.InRange(Math.Abs(error), 0, step * 0.999_999);
            sum += error / step;
            squares += error / step * (error / step);
        }

        // The mean of count independent errors lies within five of its deviations of 0.
        Assert.InRange(Math.Abs(sum / count), 0, 5 * Math.Sqrt(squares / count / count));
        Assert.True(squares > 0.01 * count, "nothing was rounded");

        var (first, second) = (Stochastic(g, 0, cut, seed: 7), Stochastic(g, cut, count - cut, seed: 7));
        int others = 0;
        var other = Stochastic(g, 0, count, seed: 8);
        for (int j = 0; j < count; j++)
        {
            var (part, at) = j < cut ? (first, j) : (second, j - cut);
            Assert.Equal((whole.W[0, j], whole.M[0, j], whole.V[0, j]), (part.W[0, at], part.M[0, at], part.V[0, at]));
            others += other.W[0, j] != whole.W[0, j] || other.M[0, j] != whole.M[0, j] ? 1 : 0;
        }

        Assert.InRange(others, count / 4, count);
    }

    /// <summary>One step from equal weights over a range of the gradient's elements.</summary>
    private (Tensor W, Tensor M, Tensor V) Stochastic(Tensor g, int from, int count, ulong seed)
    {
        Tensor w = New(1, count, DType.BFloat16), m = New(1, count, DType.BFloat16), v = New(1, count, DType.BFloat16);
        double start = New(1, 1, DType.BFloat16).Random(1)[0, 0];
        for (int j = 0; j < count; j++)
        {
            w[0, j] = start;
        }

        var call = Call(w, g, m, v);
        Cpu.Kernels.Update.Run(
            Team(),
            call with
            {
                Range = call.Range with { Gradient = g.Address + (nuint)(4 * from), Object = 3, FirstElement = from },
                Recipe = call.Recipe with { RoundsStochastically = true },
            },
            new StepArguments(1, Optimizer.AdamW.Defaults, 1, Seed: seed)
        );
        return (w, m, v);
    }

    private static void Update(Tensor w, Tensor g, Tensor m, Tensor v, OptimizerSettings s, int step, ThreadTeam team) =>
        Cpu.Kernels.Update.Run(team, Call(w, g, m, v), new StepArguments(step, s, 1));

    private static UpdateArguments Call(Tensor w, Tensor g, Tensor m, Tensor v) =>
        new()
        {
            Range = new UpdateRange(w.Address, g.Address, m.Address, (nint)v.Address - (nint)m.Address, 0, 0, 0, w.M.Columns),
            Optimizer = Optimizer.AdamW,
            Recipe = new Recipe("test", w.M.Type, g.M.Type, m.M.Type, w.M.Type),
            Scale = UpdateScale.One,
            Norms = 0,
            NormCount = 0,
        };

    private static void Define(
        double[,] w,
        Tensor g,
        double[,] m,
        double[,] v,
        (double Rate, double Beta1, double Beta2, double Eps, double Decay) s,
        int step
    )
    {
        for (int j = 0; j < w.GetLength(1); j++)
        {
            m[0, j] = (s.Beta1 * m[0, j]) + ((1 - s.Beta1) * g[0, j]);
            v[0, j] = (s.Beta2 * v[0, j]) + ((1 - s.Beta2) * g[0, j] * g[0, j]);
            double first = m[0, j] / (1 - Math.Pow(s.Beta1, step));
            double second = v[0, j] / (1 - Math.Pow(s.Beta2, step));
            w[0, j] = (w[0, j] * (1 - (s.Rate * s.Decay))) - (s.Rate * first / (Math.Sqrt(second) + s.Eps));
        }
    }
}
