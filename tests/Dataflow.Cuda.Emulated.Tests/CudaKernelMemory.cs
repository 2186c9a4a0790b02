using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Dataflow.Conformance;
using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// The kernels of a CUDA device over operands that are the slots of one op, which the emulated driver is told of: what strays from it or
/// from what a kernel's arguments say is found.
/// </summary>
internal sealed class CudaKernelMemory : KernelMemory
{
    private readonly CudaContext context;
    private readonly KernelLibrary library;
    private readonly CublasLt blas;
    private readonly CudaArenas arenas;
    private readonly CudaStream stream;
    private readonly Gemm gemm;
    private readonly DeviceMemory step;
    private readonly Schedule schedule;
    private readonly OpDeclaration? op;
    private readonly KernelStream kernels;

    /// <param name="context">Of the GPU; it is disposed of with the rest.</param>
    /// <param name="images">The compiled kernels.</param>
    /// <param name="operands">What lies in device memory.</param>
    public CudaKernelMemory(CudaContext context, KernelImages images, ImmutableArray<KernelOperand> operands)
    {
        this.context = context;
        library = new KernelLibrary(context, images);
        blas = CublasLt.Open(context);
        schedule = ScheduleOf(operands);
        arenas = new CudaArenas(context, schedule, Gemm.Workspace);
        stream = CudaStream.Create(context);
        gemm = new Gemm(blas, arenas.Beside);
        step = DeviceMemory.Allocate(context, new Bytes(Unsafe.SizeOf<StepBlock>()), "the step's arguments");
        var products = new DeclaredRange(arenas.Beside, Gemm.Workspace, MemoryAccess.Read | MemoryAccess.Write);
        var arguments = new DeclaredRange(step.Start, step.Length, MemoryAccess.Read);

        // No model, and so no attention.
        var set = new KernelSet(library, gemm, attention: null!, Optimizer.AdamW, step.Start);
        var own = new CudaKernels(stream, arenas, set);
        op = CudaEmulation.IsOn ? new OpDeclaration(schedule, arenas, stream) : null;
        kernels = op is null ? new KernelStream(own) : new DeclaringStream(own, op, products, arguments);
    }

    public override nuint Address(int operand) => arenas.Start(schedule.Slots[operand].Arena) + (nuint)schedule.Slots[operand].Offset.Value;

    public override void Write(int operand, ReadOnlySpan<byte> bytes) => arenas.Write(schedule.Slots[operand], Bytes.Zero, bytes);

    public override void Read(int operand, Span<byte> bytes) => arenas.Read(schedule.Slots[operand], Bytes.Zero, bytes);

    public override void Run(in StepArguments step, Action<KernelStream> calls)
    {
        var block = new StepBlock(step);
        this.step.Write(Bytes.Zero, System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<StepBlock>(in block)));
        op?.Begin(0);
        calls(kernels);
        op?.End();
        context.Synchronize();
    }

    protected override void Dispose(bool disposing)
    {
        step.Dispose();
        gemm.Dispose();
        stream.Dispose();
        arenas.Dispose();
        blas.Dispose();
        library.Dispose();
        context.Dispose();
    }

    private static Schedule ScheduleOf(ImmutableArray<KernelOperand> operands)
    {
        var slots = ImmutableArray.CreateBuilder<Slot>();
        var end = Bytes.Zero;
        foreach (var operand in operands)
        {
            slots.Add(new Slot($"operand{slots.Count}", MemoryTier.Device.Index, end, operand.Length));
            end += operand.Length.Aligned;
        }

        return new Schedule
        {
            Facts = [],
            Arenas = [new Arena(MemoryTier.Device.Name, end), new Arena(MemoryTier.Host.Name, Bytes.Zero)],
            Streams = StepStreams.Of(2),
            Slots = slots.ToImmutable(),
            Objects = [.. slots.Select(s => new DataObject(s.Name, s.Length))],
            Inputs = [],
            State = [],
            Outputs = [],
            Ops =
            [
                new ScheduledOp
                {
                    Kind = OpKind.Update,
                    Stream = StepStreams.Compute,
                    Accesses = [.. operands.Select((o, i) => new Access($"operand{i}", i, i, Bytes.Zero, o.Length, o.Mode))],
                },
            ],
        };
    }
}
