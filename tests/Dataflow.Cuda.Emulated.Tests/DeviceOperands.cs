using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>Operands of kernels that a test launches by itself, with what is in them.</summary>
internal sealed class DeviceOperands : IDisposable
{
    private readonly List<DeviceMemory> taken = [];

    public DeviceOperands()
    {
        Context = CudaContext.Open(EmulatedDriver.Gpu);
        Stream = CudaStream.Create(Context);
    }

    public CudaContext Context { get; }

    public CudaStream Stream { get; }

    /// <summary>Between -1 and 1.</summary>
    public (Tensor Tensor, double[] Values) Random(DType type, int rows, int columns, int seed)
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

        return (Written(bytes, type, rows, columns), [.. values.Select(v => (double)v)]);
    }

    /// <summary>Integers.</summary>
    public Tensor Words(params int[] values) => Written([.. values.SelectMany(BitConverter.GetBytes)], DType.Int32, 1, values.Length);

    /// <summary>So many bytes, which nothing was written to.</summary>
    public nuint Room(Bytes bytes)
    {
        taken.Add(DeviceMemory.Allocate(Context, bytes, "an operand"));
        return (nuint)taken[^1].Start.Address;
    }

    /// <summary>Likewise, a tensor.</summary>
    public Tensor Room(DType type, int rows, int columns) => new(Room(type.SizeOf((long)rows * columns)), type, rows, columns);

    /// <summary>What is there when everything launched is done.</summary>
    public double[] Read(Tensor tensor)
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

    public void Dispose()
    {
        taken.ForEach(m => m.Dispose());
        Stream.Dispose();
        Context.Dispose();
    }

    private Tensor Written(byte[] bytes, DType type, int rows, int columns)
    {
        var tensor = new Tensor(Room(new Bytes(bytes.Length)), type, rows, columns);
        taken[^1].Write(Bytes.Zero, bytes);
        return tensor;
    }
}
