using System.Runtime.InteropServices;
using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// The CUDA device's kernels, launched one at a time; the emulated driver holds each to the bytes that its arguments declare.
/// </summary>
public sealed class EmulatedKernelsAlone : KernelsUnderTest
{
    private readonly CudaContext context = CudaContext.Open(EmulatedDriver.Gpu);
    private readonly CudaStream stream;
    private readonly KernelLibrary library;
    private readonly List<DeviceMemory> taken = [];

    public EmulatedKernelsAlone() =>
        (stream, library) = (CudaStream.Create(context), new KernelLibrary(context, KernelImages.Emulated(EmulatedDriver.Folder)));

    public override nuint Place(ReadOnlySpan<byte> bytes)
    {
        taken.Add(DeviceMemory.Allocate(context, new Bytes(bytes.Length), "an operand"));
        taken[^1].Write(Bytes.Zero, bytes);
        return (nuint)taken[^1].Start.Address;
    }

    public override void Read(nuint at, Span<byte> bytes)
    {
        context.Synchronize();
        taken.Single(m => m.Start.Address == at).Read(Bytes.Zero, bytes);
    }

    public override void AdamW8Bit(in AdamW8BitArguments call, in StepArguments step)
    {
        var block = new StepBlock(step);
        nuint at = Place(MemoryMarshal.AsBytes(new ReadOnlySpan<StepBlock>(in block)));
        var accesses = new KernelAccesses();
        call.Declare(accesses);
        Assert.True(accesses.ReadsStepArguments);
        CudaEmulation.Declare(stream, [.. accesses.Ranges.Select(Declared), new(new DevicePointer(at), new Bytes(64), MemoryAccess.Read)]);
        try
        {
            new Kernels.AdamW8Bit(library).Run(stream, call, new DevicePointer(at));
        }
        finally
        {
            CudaEmulation.DeclareNothing(stream);
        }
    }

    protected override void Dispose(bool disposing)
    {
        context.Synchronize();
        taken.ForEach(m => m.Dispose());
        library.Dispose();
        stream.Dispose();
        context.Dispose();
    }

    private static DeclaredRange Declared((nuint Start, long Bytes, KernelAccess Access) range) =>
        new(
            new DevicePointer(range.Start),
            new Bytes(range.Bytes),
            range.Access switch
            {
                KernelAccess.Read => MemoryAccess.Read,
                KernelAccess.Write => MemoryAccess.Write,
                _ => MemoryAccess.Read | MemoryAccess.Write,
            }
        );
}
