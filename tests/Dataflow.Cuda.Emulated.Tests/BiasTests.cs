using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>A product's bias and its gradient, as the device launches them, against plain loops in float64.</summary>
public sealed class BiasTests : IDisposable
{
    private const int Rows = 24,
        Columns = 40,
        Depth = 16;

    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly DeviceMemory workspace;
    private readonly List<DeviceMemory> taken = [];

    public BiasTests()
    {
        context = CudaContext.Open(EmulatedDriver.Gpu);
        stream = CudaStream.Create(context);
        workspace = DeviceMemory.Allocate(context, Gemm.Workspace, "products");
    }

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
        using var blas = CublasLt.Open(context);
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
            gemm.Run(stream, call);
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
        using var library = new KernelLibrary(context, KernelImages.Emulated(EmulatedDriver.Folder));
        var sum = new ColumnSum(library);
        foreach (bool accumulate in new[] { true, false })
        {
            sum.Run(
                stream,
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

    public void Dispose()
    {
        taken.ForEach(m => m.Dispose());
        workspace.Dispose();
        stream.Dispose();
        context.Dispose();
    }

    private (Tensor Tensor, double[] Values) Random(DType type, int rows, int columns, int seed)
    {
        var random = new Random(seed);
        float[] values = [.. Enumerable.Range(0, rows * columns).Select(_ => (random.NextSingle() * 2) - 1)];
        byte[] bytes = new byte[values.Length * type.Size()];
        for (int i = 0; i < values.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(values[i]);
            if (type == DType.BFloat16)
            {
                bits &= 0xFFFF0000;
                BitConverter.TryWriteBytes(bytes.AsSpan(2 * i), (ushort)(bits >> 16));
            }
            else
            {
                BitConverter.TryWriteBytes(bytes.AsSpan(4 * i), bits);
            }

            values[i] = BitConverter.UInt32BitsToSingle(bits);
        }

        var memory = DeviceMemory.Allocate(context, new Bytes(bytes.Length), "an operand");
        taken.Add(memory);
        memory.Write(Bytes.Zero, bytes);
        return (new Tensor((nuint)memory.Start.Address, type, rows, columns), [.. values.Select(v => (double)v)]);
    }

    private double[] Read(Tensor tensor)
    {
        context.Synchronize();
        byte[] bytes = new byte[tensor.Bytes];
        taken.Single(m => m.Start.Address == tensor.Address).Read(Bytes.Zero, bytes);
        return
        [
            .. Enumerable
                .Range(0, tensor.Rows * tensor.Columns)
                .Select(i =>
                    tensor.Type == DType.Float32
                        ? (double)BitConverter.ToSingle(bytes, 4 * i)
                        : BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(bytes, 2 * i) << 16)
                ),
        ];
    }
}
