using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>A product's bias and its gradient, as the device launches them, against plain loops in float64.</summary>
public sealed class BiasTests : LaunchTest
{
    private const int Rows = 24,
        Columns = 40,
        Depth = 16;

    private readonly DeviceMemory workspace;

    public BiasTests() => workspace = DeviceMemory.Allocate(Context, Gemm.Workspace, "products");

    [Theory]
    [InlineData(DType.Float32, false)]
    [InlineData(DType.Float32, true)]
    [InlineData(DType.BFloat16, false)]
    [InlineData(DType.BFloat16, true)]
    [InlineData(DType.Float32, true, 0.22f)]
    [InlineData(DType.BFloat16, false, 12f)]
    public void It_is_added_to_every_row_before_the_sum_is_rounded(DType type, bool adds, float scale = 1)
    {
        var (a, x) = Random(type, Rows, Depth, 1);
        var (b, w) = Random(type, Columns, Depth, 2);
        var (bias, plus) = Random(type, 1, Columns, 3);
        var (other, another) = Random(type, 1, Columns, 4);
        var (addend, y) = Random(type, Rows, Columns, 5);
        var (c, _) = Random(type, Rows, Columns, 6);
        using var blas = CublasLt.Open(Context);
        using var gemm = new Gemm(blas, workspace.Start);
        gemm.Prepare(new Product(a, Transpose.No, b, Transpose.Yes, c, adds) { HasBias = true });

        // One description serves all products of a shape: each takes the bias that it was launched with.
        foreach (var (row, values) in new[] { (bias, plus), (other, another) })
        {
            var call = new GemmArguments
            {
                A = a,
                TransposeA = Transpose.No,
                B = b,
                TransposeB = Transpose.Yes,
                C = c,
                Addend = adds ? addend : null,
                Bias = row,
                Scale = scale,
            };
            gemm.Run(Stream, call);
            double[] got = Read(c);
            for (int i = 0; i < got.Length; i++)
            {
                var (t, o) = (i / Columns, i % Columns);
                double sum = values[o] + (adds ? y[i] : 0);
                for (int k = 0; k < Depth; k++)
                {
                    sum += scale * x[(t * Depth) + k] * w[(o * Depth) + k];
                }

                // One rounding to the type; the sums before it are exact to fp32.
                Assert.Equal(0, got[i] - sum, (Math.Abs(sum) * (type == DType.Float32 ? 1e-6 : 1.0 / 256)) + 2e-6);
            }
        }
    }

    [Theory]
    [InlineData(DType.Float32, DType.Float32)]
    [InlineData(DType.Float32, DType.BFloat16)]
    [InlineData(DType.BFloat16, DType.Float32)]
    [InlineData(DType.BFloat16, DType.BFloat16)]
    public void Its_gradient_is_the_sum_over_tokens(DType from, DType to)
    {
        var (a, x) = Random(from, Rows, Columns, 1);
        var (c, old) = Random(to, 1, Columns, 2);
        var sum = new ColumnSum(Library);
        foreach (bool accumulate in new[] { true, false })
        {
            sum.Run(
                Stream,
                new ColumnSumArguments
                {
                    A = a,
                    C = c,
                    Accumulate = accumulate,
                }
            );
            double[] got = Read(c);
            for (int o = 0; o < Columns; o++)
            {
                double want = Enumerable.Range(0, Rows).Sum(t => x[(t * Columns) + o]) + (accumulate ? old[o] : 0);
                Assert.Equal(0, got[o] - want, (Math.Abs(want) * (to == DType.Float32 ? 1e-6 : 1.0 / 256)) + 1e-7);
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        workspace.Dispose();
        base.Dispose(disposing);
    }
}
