using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>Norms with all that they may have beside a weight, as the device launches them, against plain loops in float64.</summary>
public sealed class NormLaunchTests : LaunchTest
{
    private const int Rows = 9,
        Columns = 40;

    private const float Epsilon = 1e-5f;

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void RmsNorm_adds_an_offset_to_its_weight_and_an_addend_to_its_result(DType type)
    {
        var (x, xs) = Random(type, Rows, Columns, 1);
        var (w, ws) = Random(type, 1, Columns, 2);
        var (y, addend) = Random(type, Rows, Columns, 3);
        var (rstd, _) = Random(DType.Float32, Rows, 1, 4);
        var norm = new RmsNorm(Library, new ColumnSum(Library));
        norm.Forward(
            Stream,
            new()
            {
                X = x,
                Weight = w,
                WeightOffset = 1,
                Addend = y,
                Epsilon = Epsilon,
                Y = y,
                Rstd = rstd.Address,
            }
        );
        double[] scales = [.. Enumerable.Range(0, Rows).Select(r => 1 / Math.Sqrt(Mean(c => xs[At(r, c)] * xs[At(r, c)]) + Epsilon))];
        AssertClose(DType.Float32, scales, Read(rstd));
        AssertClose(type, Each((r, c) => addend[At(r, c)] + (xs[At(r, c)] * scales[r] * (1 + ws[c]))), Read(y));

        var (dy, gs) = Random(type, Rows, Columns, 5);
        var (dx, _) = Random(type, Rows, Columns, 6);
        var (dw, _) = Random(type, 1, Columns, 7);
        norm.Backward(
            Stream,
            new()
            {
                GradY = dy,
                X = x,
                Rstd = rstd.Address,
                Weight = w,
                WeightOffset = 1,
                GradX = dx,
                Addend = null,
                GradWeight = dw,
                Accumulate = false,
                Workspace = Room(KernelWorkspace.RmsNorm(Rows, Columns)),
            }
        );
        double G(int r, int c) => gs[At(r, c)] * (1 + ws[c]);
        double N(int r, int c) => xs[At(r, c)] * scales[r];
        AssertClose(type, Each((r, c) => scales[r] * (G(r, c) - (N(r, c) * Mean(k => G(r, k) * N(r, k))))), Read(dx));
        AssertClose(type, [.. Enumerable.Range(0, Columns).Select(c => Sum(r => gs[At(r, c)] * N(r, c)))], Read(dw));
    }

    [Theory]
    [InlineData(DType.Float32, 0)]
    [InlineData(DType.BFloat16, 1)]
    public void LayerNorm_is_its_definition(DType type, int offset)
    {
        var (x, xs) = Random(type, Rows, Columns, 1);
        var (w, ws) = Random(type, 1, Columns, 2);
        var (b, bs) = Random(type, 1, Columns, 3);
        var (y, addend) = Random(type, Rows, Columns, 4);
        var (statistics, _) = Random(DType.Float32, Rows, 2, 5);
        var norm = new LayerNorm(Library, new ColumnSum(Library));
        norm.Forward(
            Stream,
            new()
            {
                X = x,
                Weight = w,
                WeightOffset = offset,
                Bias = b,
                Addend = y,
                Epsilon = Epsilon,
                Y = y,
                Statistics = statistics.Address,
            }
        );
        double[] means = [.. Enumerable.Range(0, Rows).Select(r => Mean(c => xs[At(r, c)]))];
        double[] rstd = [.. means.Select((m, r) => 1 / Math.Sqrt(Mean(c => Math.Pow(xs[At(r, c)] - m, 2)) + Epsilon))];
        double N(int r, int c) => (xs[At(r, c)] - means[r]) * rstd[r];
        AssertClose(DType.Float32, [.. means.Zip(rstd).SelectMany(m => new[] { m.First, m.Second })], Read(statistics));
        AssertClose(type, Each((r, c) => addend[At(r, c)] + (N(r, c) * (offset + ws[c])) + bs[c]), Read(y));

        var (dy, gs) = Random(type, Rows, Columns, 6);
        var (dx, old) = Random(type, Rows, Columns, 7);
        var (dw, oldWeight) = Random(type, 1, Columns, 8);
        var (db, _) = Random(type, 1, Columns, 9);
        norm.Backward(
            Stream,
            new()
            {
                GradY = dy,
                X = x,
                Statistics = statistics.Address,
                Weight = w,
                WeightOffset = offset,
                GradX = dx,
                Addend = dx,
                GradWeight = dw,
                AccumulateWeight = true,
                GradBias = db,
                AccumulateBias = false,
                Workspace = Room(KernelWorkspace.LayerNorm(Rows, Columns)),
            }
        );
        double G(int r, int c) => gs[At(r, c)] * (offset + ws[c]);
        double Gradient(int r, int c) => rstd[r] * (G(r, c) - Mean(k => G(r, k)) - (N(r, c) * Mean(k => G(r, k) * N(r, k))));
        AssertClose(type, Each((r, c) => old[At(r, c)] + Gradient(r, c)), Read(dx));
        AssertClose(type, [.. oldWeight.Select((before, c) => before + Sum(r => gs[At(r, c)] * N(r, c)))], Read(dw));
        AssertClose(type, [.. Enumerable.Range(0, Columns).Select(c => Sum(r => gs[At(r, c)]))], Read(db));
    }

    private static int At(int row, int column) => (row * Columns) + column;

    private static double Mean(Func<int, double> of) => Enumerable.Range(0, Columns).Average(of);

    private static double Sum(Func<int, double> of) => Enumerable.Range(0, Rows).Sum(of);

    private static double[] Each(Func<int, int, double> of) =>
        [.. Enumerable.Range(0, Rows * Columns).Select(i => of(i / Columns, i % Columns))];
}
