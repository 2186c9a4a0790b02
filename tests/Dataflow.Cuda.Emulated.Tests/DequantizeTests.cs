using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>A stored weight made dense, as the device launches it, against the CPU's: the same bits.</summary>
public sealed class DequantizeTests
{
    /// <summary>Stored type, type of products, rows, columns.</summary>
    public static TheoryData<DType, DType, int, int> Cases =>
        [
            .. from stored in DTypes.OfBase
               from dense in new[] { DType.Float32, DType.BFloat16 }
               where stored != dense
               from shape in new[] { (1, 4), (3, 20), (128, 16), (37, 132), (130, 131) }
               select (stored, dense, shape.Item1, shape.Item2),
        ];

    [Theory]
    [MemberData(nameof(Cases))]
    public unsafe void Its_bits_are_the_CPUs(DType storedType, DType denseType, int rows, int columns)
    {
        byte[] bytes = new byte[storedType.SizeOf((long)rows * columns).Value];
        var random = new Random(rows);
        random.NextBytes(bytes);

        // Whatever bits, but no NaN, whose bits are each device's own.
        for (int i = 1; i < bytes.Length && storedType == DType.BFloat16; i += 2)
        {
            bytes[i] &= 0xBF;
        }

        for (int i = 0; i < bytes.Length && storedType == DType.Int8; i += Int8Blocks.GroupBytes)
        {
            foreach (ref float scale in MemoryMarshal.Cast<byte, float>(bytes.AsSpan(i))[..4])
            {
                scale = (float)Math.Pow(10, random.Next(-44, 38));
            }
        }

        if (storedType.IsByTensor())
        {
            var tensor = new Nf4Tensor((long)rows * columns, storedType == DType.Nf4Nested);
            int scales = (int)(tensor.IsNested ? tensor.CodesAt : tensor.PackedAt);
            foreach (ref float scale in MemoryMarshal.Cast<byte, float>(bytes.AsSpan(0, scales)))
            {
                scale = (float)Math.Pow(10, random.Next(-44, 37));
            }
        }

        byte[] want = new byte[denseType.SizeOf((long)rows * columns).Value], got = new byte[want.Length];
        fixed (byte* from = bytes, to = want)
        {
            using var team = new Cpu.Kernels.ThreadTeam(2);
            Cpu.Kernels.Dequantize.Run(team, Call((nuint)from, (nuint)to));
        }

        using var context = CudaContext.Open(EmulatedDriver.Gpu);
        using var stream = CudaStream.Create(context);
        using var library = new KernelLibrary(context, KernelImages.Emulated(EmulatedDriver.Folder));
        using var stored = DeviceMemory.Allocate(context, new Bytes(bytes.Length), "as it is stored");
        using var dense = DeviceMemory.Allocate(context, new Bytes(want.Length), "dense");
        stored.Write(Bytes.Zero, bytes);
        new Kernels.Dequantize(library).Run(stream, Call((nuint)stored.Start.Address, (nuint)dense.Start.Address));
        context.Synchronize();
        dense.Read(Bytes.Zero, got);
        Assert.Equal(want, got);

        DequantizeArguments Call(nuint from, nuint to) =>
            new() { Stored = new Tensor(from, storedType, rows, columns), Dense = new Tensor(to, denseType, rows, columns) };
    }
}
