using System.Collections.Immutable;
using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>
/// A GPU: the device arena in one allocation, the host arena pinned, a CUDA stream for every stream of the schedule and an event for
/// every op that another stream waits for. Launches only append; nothing is allocated and nobody waits within a step. Where asked to, it
/// launches whole steps as CUDA graphs (<see cref="StepGraph"/>).
/// </summary>
public sealed class CudaDevice : ITimedDevice, IInspectableDevice
{
    private static readonly Bytes StepBlockLength = new(Bytes.Alignment);

    private readonly Schedule schedule;
    private readonly Shared shared;
    private readonly OpRunner runner;
    private readonly CudaEvent?[] events;
    private readonly ImmutableArray<OpDeclaration> declarations;
    private readonly StepEvents measurement;
    private readonly StepGraph? graph;
    private readonly bool owns;
    private bool isGraph; // the step that runs

    /// <summary>Takes the memory, loads the kernels and chooses algorithms; what it returns is ready to run.</summary>
    /// <param name="schedule">The steps that it will run.</param>
    /// <param name="workload">What the schedule is of.</param>
    /// <param name="context">Of the GPU; the device disposes of it.</param>
    /// <param name="images">Where the compiled kernels are.</param>
    /// <param name="settings">How steps are run; null: op by op.</param>
    /// <exception cref="MachineException">The GPU, its libraries or the host lack something; the sentence says what.</exception>
    public CudaDevice(
        Schedule schedule,
        Workload workload,
        CudaContext context,
        KernelImages images,
        CudaDeviceSettings? settings = null
    )
        : this(schedule, workload, new Shared(schedule, workload, context, images, settings?.Products), owns: true, planted: null)
    {
        graph = settings is { Graphs: true } ? new StepGraph(schedule, context, shared.Streams, settings.GraphsRefused) : null;
    }

    /// <summary>A device with a fault, for tests: what is given stands between the ops' calls and the kernels of their streams.</summary>
    internal CudaDevice(Schedule schedule, Workload workload, CudaContext context, KernelImages images, Func<IKernels, IKernels> planted)
        : this(schedule, workload, new Shared(schedule, workload, context, images), owns: true, planted)
    {
    }

    private CudaDevice(Schedule schedule, Workload workload, Shared shared, bool owns, Func<IKernels, IKernels>? planted)
    {
        (this.schedule, this.shared, this.owns) = (schedule, shared, owns);
        CheckSegments(schedule, workload.Geometry, shared.Kernels.Attention.SegmentRows);
        ImmutableArray<nuint> starts = [.. schedule.Arenas.Select((_, a) => shared.Arenas.Start(a))];
        IEnumerable<IKernels> kernels = shared.Streams.Select(s => new CudaKernels(s, shared.Arenas, shared.Kernels));
        kernels = planted is null ? kernels : kernels.Select(planted);

        // What the emulated driver checks by it the real one would not know what to do with.
        declarations = CudaEmulation.IsOn ? [.. shared.Streams.Select(s => new OpDeclaration(schedule, shared.Arenas, s))] : [];
        var streams = CudaEmulation.IsOn
            ? kernels.Zip(declarations, (k, op) => new DeclaringStream(k, op, shared.ProductMemory, shared.StepMemory))
            : kernels.Select(k => new KernelStream(k));
        runner = new OpRunner(schedule, workload, starts, [.. streams]) { Inspections = new CallInspections(shared) };
        runner.Prepare();
        foreach (var program in runner.Programs)
        {
            shared.Kernels.Attention.Prepare(program);
        }

        foreach (var product in Products.Of(runner, workload))
        {
            shared.Kernels.Gemm.Prepare(product);
        }

        shared.Kernels.LoadUpdates(workload.Optimizer);

        events = new CudaEvent?[schedule.Ops.Length];
        foreach (var wait in schedule.Ops.SelectMany(o => o.Waits))
        {
            events[wait.Op] ??= CudaEvent.Create(shared.Context);
        }

        measurement = new StepEvents(schedule, shared.Context);
        runner.CallCompleted = (op, call, _) => measurement.CallLaunched(call, shared.Streams[op.Stream]);
    }

    /// <inheritdoc/>
    public string Name => $"cuda, {shared.Context.Gpu.Name}";

    /// <inheritdoc/>
    public IDevice For(Schedule schedule, Workload workload) => new CudaDevice(schedule, workload, shared, owns: false, planted: null);

    /// <inheritdoc/>
    public void BeginStep(in StepArguments arguments)
    {
        shared.WriteStepBlock(arguments);
        runner.BeginStep(arguments);
        measurement.BeginStep(shared.Streams[StepStreams.Compute]);

        // What looks at single ops or kernels looks between their launches.
        isGraph = graph is not null && !measurement.IsOn && !runner.Inspections!.AreOn && graph.Takes(runner.Values, Append);
    }

    /// <inheritdoc/>
    public void Wait(int stream, Wait wait)
    {
        if (!isGraph)
        {
            shared.Streams[stream].Wait(events[wait.Op]!);
        }
    }

    /// <inheritdoc/>
    public void Launch(int op)
    {
        if (!isGraph)
        {
            Append(op, events);
        }
        else if (op == 0)
        {
            graph!.Launch();
        }
    }

    private void Append(int op, CudaEvent?[] completions)
    {
        int lane = schedule.Ops[op].Stream;
        var stream = shared.Streams[lane];
        measurement.Started(op, stream);
        if (declarations.IsEmpty)
        {
            runner.Run(op);
        }
        else
        {
            declarations[lane].Begin(op);
            runner.Run(op);
            declarations[lane].End();
        }

        measurement.Ended(op, stream);
        if (completions[op] is { } completion)
        {
            stream.Record(completion);
        }
    }

    /// <inheritdoc/>
    public void MeasureNextStep(StepDetail detail = StepDetail.Ops) => measurement.MeasureNextStep(detail);

    /// <inheritdoc/>
    public Timeline MeasuredStep() => measurement.MeasuredStep();

    /// <inheritdoc/>
    public IReadOnlyList<KernelTime> MeasuredKernels() => measurement.Kernels();

    /// <inheritdoc/>
    public void Synchronize() => shared.Context.Synchronize();

    /// <inheritdoc/>
    public IDisposable Inspect(Action<CompletedCall> look, Action<CompletedNorm>? norm = null) => runner.Inspections!.Add(look, norm);

    /// <inheritdoc/>
    public void Write(int slot, Bytes offset, ReadOnlySpan<byte> source)
    {
        // Weights come from several threads at once, and the driver's calls go to the context of their thread.
        shared.Context.MakeCurrent();
        shared.Arenas.Write(schedule.Slots[slot], offset, source);
    }

    /// <inheritdoc/>
    public void Read(int slot, Bytes offset, Span<byte> destination)
    {
        shared.Context.MakeCurrent();
        shared.Arenas.Read(schedule.Slots[slot], offset, destination);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        graph?.Dispose();
        measurement.Dispose();
        foreach (var completion in events)
        {
            completion?.Dispose();
        }

        if (owns)
        {
            shared.Dispose();
        }
    }

    private static void CheckSegments(Schedule schedule, Geometry geometry, int rows)
    {
        foreach (var op in schedule.Ops)
        {
            if (op.Segment is { } segment && geometry.FirstRow(segment) % rows != 0)
            {
                throw new ArgumentException(
                    $"segment {segment.Index} of {segment.Count} begins at row {geometry.FirstRow(segment)} of its window, and kernels "
                        + $"need multiples of {rows}",
                    nameof(schedule)
                );
            }
        }
    }

    /// <summary>What devices over the same arenas have in common.</summary>
    private sealed class Shared : IArenaMemory, IDisposable
    {
        private readonly KernelLibrary library;
        private readonly CublasLt blas;
        private readonly PinnedMemory staging;
        private readonly DevicePointer stepBlock;

        public Shared(Schedule schedule, Workload workload, CudaContext context, KernelImages images, ProductChoices? products = null)
        {
            Context = context;
            blas = CublasLt.Open(context);
            library = new KernelLibrary(context, images);
            Arenas = new CudaArenas(context, schedule, Gemm.Workspace + StepBlockLength);
            staging = PinnedMemory.Allocate(context, StepBlockLength, PinnedMemoryOptions.For("the step's arguments"));
            stepBlock = Arenas.Beside + Gemm.Workspace;
            Streams = [.. schedule.Streams.Select(_ => CudaStream.Create(context))];
            for (int i = 0; i < Streams.Length && Nvtx.Listening is { } profiler; i++)
            {
                profiler.Api.NameStream(Streams[i], schedule.Streams[i]);
            }

            var attention = new Attention(library, context, workload);
            Kernels = new KernelSet(library, new Gemm(blas, Arenas.Beside, products), attention, workload.Optimizer, stepBlock);
        }

        public CudaContext Context { get; }

        public CudaArenas Arenas { get; }

        public ImmutableArray<CudaStream> Streams { get; }

        public KernelSet Kernels { get; }

        /// <summary>What matrix products may write and read besides their operands.</summary>
        public DeclaredRange ProductMemory => new(Arenas.Beside, Gemm.Workspace, MemoryAccess.Read | MemoryAccess.Write);

        /// <summary>The step's arguments, for kernels that read them.</summary>
        public DeclaredRange StepMemory =>
            new(stepBlock, new Bytes(System.Runtime.CompilerServices.Unsafe.SizeOf<StepBlock>()), MemoryAccess.Read);

        /// <summary>All earlier ops have completed: the staging memory may be overwritten.</summary>
        public void WriteStepBlock(in StepArguments arguments)
        {
            var block = new StepBlock(arguments);
            var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<StepBlock>(in block));
            if (CudaEmulation.IsOn)
            {
                CudaEmulation.HostAccess(staging, Bytes.Zero, new Bytes(bytes.Length), MemoryAccess.Write);
            }

            bytes.CopyTo(staging.Range(Bytes.Zero, bytes.Length));
            Streams[StepStreams.Compute].CopyToDevice(stepBlock, staging, Bytes.Zero, new Bytes(bytes.Length));
        }

        /// <inheritdoc/>
        public void Read(nuint address, Span<byte> destination)
        {
            Context.Synchronize();
            Arenas.Read(address, destination);
        }

        /// <inheritdoc/>
        public void Write(nuint address, ReadOnlySpan<byte> source)
        {
            Context.Synchronize();
            Arenas.Write(address, source);
        }

        public void Dispose()
        {
            foreach (var stream in Streams)
            {
                stream.Dispose();
            }

            Kernels.Attention.Dispose();
            Kernels.Gemm.Dispose();
            staging.Dispose();
            Arenas.Dispose();
            library.Dispose();
            blas.Dispose();
            Context.Dispose();
        }
    }
}
