using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>A device's kernels, launched one at a time on operands of a test, which are freed at its end.</summary>
public abstract class LaunchTest : IDisposable
{
    private readonly List<DeviceMemory> taken = [];

    internal CudaContext Context { get; } = CudaContext.Open(EmulatedDriver.Gpu);

    internal CudaStream Stream => field ??= CudaStream.Create(Context);

    internal KernelLibrary Library => field ??= new(Context, KernelImages.Emulated(EmulatedDriver.Folder));

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Numbers are near what they should be: within one rounding to the type, and fp32's roundings of them.</summary>
    protected static void AssertClose(DType type, double[] expected, double[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        double size = Math.Sqrt(expected.Sum(e => e * e) / expected.Length);
        for (int i = 0; i < found.Length; i++)
        {
            double allowed = (Math.Abs(expected[i]) * (type == DType.Float32 ? 0 : 1.0 / 256)) + (2e-6 * size);
            Assert.True(Math.Abs(expected[i] - found[i]) <= allowed, $"{found[i]} instead of {expected[i]} at {i}");
        }
    }

    /// <summary>Integers in device memory.</summary>
    protected nuint Integers(params int[] values) => Put(MemoryMarshal.AsBytes<int>(values).ToArray());

    /// <summary>Uninitialised device memory.</summary>
    protected nuint Room(Bytes length) => Put(new byte[length.Value]);

    /// <summary>A tensor of numbers from -1 to 1 in device memory, with the numbers.</summary>
    protected (Tensor Tensor, double[] Values) Random(DType type, int rows, int columns, int seed, float scale = 1)
    {
        var random = new Random(seed);
        float[] values = [.. Enumerable.Range(0, rows * columns).Select(_ => scale * ((random.NextSingle() * 2) - 1))];
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

        return (new Tensor(Put(bytes), type, rows, columns), [.. values.Select(v => (double)v)]);
    }

    /// <summary>What a tensor holds now.</summary>
    protected double[] Read(Tensor tensor)
    {
        Context.Synchronize();
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

    protected virtual void Dispose(bool disposing)
    {
        taken.ForEach(m => m.Dispose());
        Library.Dispose();
        Stream.Dispose();
        Context.Dispose();
    }

    private nuint Put(byte[] bytes)
    {
        var memory = DeviceMemory.Allocate(Context, new Bytes(bytes.Length), "an operand");
        taken.Add(memory);
        memory.Write(Bytes.Zero, bytes);
        return (nuint)memory.Start.Address;
    }
}
