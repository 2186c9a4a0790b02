using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu;

/// <summary>
/// The plan's arenas in RAM and real math. Every stream is a thread of its own, so copies run beside compute; kernels
/// spread over a team of threads.
/// </summary>
public sealed class CpuDevice : ITimedDevice, IInspectableDevice
{
    private readonly CpuMemory memory;
    private readonly CpuKernels kernels;
    private readonly OpRunner runner;
    private readonly ThreadTeam team;
    private readonly CpuStream[] streams;
    private readonly StepClock clock;
    private readonly StepStopwatch stopwatch;
    private readonly VirtualClock? time;
    private readonly bool ownsTeam;
    private int step;

    /// <summary>Allocates the arenas and starts the streams.</summary>
    /// <param name="schedule">The steps that it will run.</param>
    /// <param name="workload">What the schedule is of.</param>
    /// <param name="threads">Threads of the team; results do not depend on it.</param>
    public CpuDevice(Schedule schedule, Workload workload, int threads)
        : this(schedule, workload, new CpuMemory(schedule), new ThreadTeam(threads), owns: true)
    {
    }

    /// <summary>The same on a virtual clock, where each op takes what a machine that is only thought of gives it.</summary>
    internal CpuDevice(Schedule schedule, Workload workload, int threads, IVirtualMachine machine)
        : this(
            schedule,
            workload,
            new CpuMemory(schedule),
            new ThreadTeam(threads),
            owns: true,
            new VirtualClock(machine, schedule.Streams.Length + 1)
        ) { }

    /// <summary>The same, with measured steps timed by a clock that is read on the thread of the op's stream.</summary>
    internal CpuDevice(Schedule schedule, Workload workload, int threads, Func<long> stepClock)
        : this(schedule, workload, new CpuMemory(schedule), new ThreadTeam(threads), owns: true, stepClock: stepClock) { }

    private CpuDevice(
        Schedule schedule,
        Workload workload,
        CpuMemory memory,
        ThreadTeam team,
        bool owns,
        VirtualClock? time = null,
        Func<long>? stepClock = null
    )
    {
        this.time = time;
        (this.memory, this.team, ownsTeam) = (memory, team, owns);
        kernels = new CpuKernels(team);
        runner = memory.Runner(workload, kernels);
        runner.Prepare();
        clock = new StepClock(schedule.Ops.Length);
        int waits = schedule.Ops.Sum(o => o.Waits.Length);
        stopwatch = new StepStopwatch(schedule, time is null ? stepClock ?? StepStopwatch.SystemClock : () => time.Now);
        runner.CallCompleted = stopwatch.CallCompleted;
        streams = [.. schedule.Streams.Select(name => new CpuStream(name, schedule.Ops.Length + waits, clock, Run, time))];
    }

    /// <inheritdoc/>
    public IDevice For(Schedule schedule, Workload workload) =>
        new CpuDevice(schedule, workload, new CpuMemory(schedule, memory), team, owns: false);

    /// <inheritdoc/>
    public string Name => $"cpu, {team.Threads} threads";

    /// <inheritdoc/>
    public void BeginStep(in StepArguments arguments)
    {
        step++;
        kernels.Arguments = arguments;
        runner.BeginStep(arguments);
        stopwatch.BeginStep();
    }

    /// <inheritdoc/>
    public void Wait(int stream, Wait wait) => streams[stream].Enqueue(new CpuCommand(wait.Op, step - wait.Distance, IsWait: true));

    /// <inheritdoc/>
    public void Launch(int op) => streams[memory.Schedule.Ops[op].Stream].Enqueue(new CpuCommand(op, step, IsWait: false));

    /// <inheritdoc/>
    public void Synchronize()
    {
        foreach (var stream in streams)
        {
            stream.Drain();
        }

        stopwatch.EndStep();
        clock.ThrowIfFailed();
    }

    /// <inheritdoc/>
    public void MeasureNextStep(StepDetail detail = StepDetail.Ops) => stopwatch.MeasureNextStep(detail);

    /// <inheritdoc/>
    public Timeline MeasuredStep() => stopwatch.MeasuredStep();

    /// <inheritdoc/>
    public IReadOnlyList<KernelTime> MeasuredKernels() => stopwatch.Kernels;

    /// <inheritdoc/>
    public IDisposable Inspect(Action<CompletedCall> look, Action<CompletedNorm>? norm = null) => runner.Inspections!.Add(look, norm);

    /// <inheritdoc/>
    public void Write(int slot, Bytes offset, ReadOnlySpan<byte> source) => source.CopyTo(memory.Slot(slot, offset, source.Length));

    /// <inheritdoc/>
    public void Read(int slot, Bytes offset, Span<byte> destination) => memory.Slot(slot, offset, destination.Length).CopyTo(destination);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var stream in streams)
        {
            stream.Dispose();
        }

        if (ownsTeam)
        {
            team.Dispose();
        }

        memory.Dispose();
    }

    private void Run(int op)
    {
        stopwatch.Started(op);
        runner.Run(op);
        time?.Occupy(op);
        stopwatch.Ended(op);
    }
}
