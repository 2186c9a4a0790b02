using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed unsafe class AdamWTests : KernelTest
{
    private const int Count = 100_003;

    [Theory]
    [InlineData(true, 0.95)]
    [InlineData(false, 0.999)]
    public void Ten_steps_in_fp32_agree_with_the_definition(bool decay, double beta2)
    {
        var settings = new AdamWSettings(1e-2f, 0.9f, (float)beta2, 1e-8f, 0.1f);
        Tensor w = New(1, Count).Random(1);
        Tensor m = New(1, Count);
        Tensor v = New(1, Count);
        (double[,] ws, double[,] ms, double[,] vs) = (w.Values(), m.Values(), v.Values());
        for (int step = 1; step <= 10; step++)
        {
            Tensor g = New(1, Count).Random(10 + step);
            Update(w, g, m, v, settings, step, decay, Team(step % 3 + 1));
            Define(ws, g, ms, vs, (1e-2, 0.9, beta2, 1e-8, 0.1), step, decay);
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
        Update(w, g, m, v, AdamWSettings.Default, 7, true, Team());
        Define(ws, g, ms, vs, (3e-4, 0.9, 0.95, 1e-8, 0.1), 7, true);
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

    private static void Update(Tensor w, Tensor g, Tensor m, Tensor v, AdamWSettings s, int step, bool decay, ThreadTeam team) =>
        AdamW.Run(team, s, step, decay, w.M.Data, w.M.Type, g.M.Data, g.M.Type, m.M.Data, v.M.Data, m.M.Type, w.M.Columns);

    private static void Define(
        double[,] w, Tensor g, double[,] m, double[,] v, (double Rate, double Beta1, double Beta2, double Eps, double Decay) s, int step, bool decay)
    {
        for (int j = 0; j < w.GetLength(1); j++)
        {
            m[0, j] = (s.Beta1 * m[0, j]) + ((1 - s.Beta1) * g[0, j]);
            v[0, j] = (s.Beta2 * v[0, j]) + ((1 - s.Beta2) * g[0, j] * g[0, j]);
            double first = m[0, j] / (1 - Math.Pow(s.Beta1, step));
            double second = v[0, j] / (1 - Math.Pow(s.Beta2, step));
            w[0, j] = (w[0, j] * (decay ? 1 - (s.Rate * s.Decay) : 1)) - (s.Rate * first / (Math.Sqrt(second) + s.Eps));
        }
    }
}
