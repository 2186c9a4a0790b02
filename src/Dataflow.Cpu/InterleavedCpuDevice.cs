using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu;

/// <summary>
/// The CPU device as an adversary: one op at a time, each from a stream picked at random (by a seed) among those whose waits are
/// satisfied. Whatever no op may rely on is made NaN: arenas at the start, bytes
/// that an op promises to overwrite before it runs, and slots whose tenant has had its last use. A schedule with a missing wait, or a
/// kernel that reads what it should write, gives wrong numbers here instead of rare ones elsewhere.
/// </summary>
public sealed class InterleavedCpuDevice : IInspectableDevice
{
    private readonly CpuMemory memory;
    private readonly CpuKernels kernels;
    private readonly OpRunner runner;
    private readonly ThreadTeam team;
    private readonly Queue<CpuCommand>[] streams;
    private readonly int[] completed;
    private readonly SlotPoison poison;
    private readonly Random random;
    private readonly int seed;
    private readonly bool ownsTeam;
    private int step;

    /// <summary>Allocates the arenas, filled with NaN.</summary>
    /// <param name="schedule">The steps that it will run.</param>
    /// <param name="workload">What the schedule is of.</param>
    /// <param name="threads">Threads of the team; results do not depend on it.</param>
    /// <param name="seed">Of the choice of streams.</param>
    public InterleavedCpuDevice(Schedule schedule, Workload workload, int threads, int seed)
        : this(schedule, workload, new CpuMemory(schedule), new ThreadTeam(threads), seed, owns: true)
    {
        poison.FillArenas();
    }

    private InterleavedCpuDevice(Schedule schedule, Workload workload, CpuMemory memory, ThreadTeam team, int seed, bool owns)
    {
        (this.memory, this.team, this.seed, ownsTeam) = (memory, team, seed, owns);
        kernels = new CpuKernels(team);
        runner = memory.Runner(workload, kernels);
        runner.Prepare();
        poison = new SlotPoison(memory);
        completed = new int[schedule.Ops.Length];
        streams = [.. schedule.Streams.Select(_ => new Queue<CpuCommand>())];
        random = new Random(seed);
    }

    /// <summary>Called after each kernel of a block program; for tests that look at what it wrote.</summary>
    internal Action<ScheduledOp, KernelCall, OpOperands>? CallCompleted
    {
        get => runner.CallCompleted;
        set => runner.CallCompleted = value;
    }

    /// <inheritdoc/>
    public IDevice For(Schedule schedule, Workload workload) =>
        new InterleavedCpuDevice(schedule, workload, new CpuMemory(schedule, memory), team, seed, owns: false);

    /// <inheritdoc/>
    public string Name => $"cpu, interleaved, {team.Threads} threads";

    /// <inheritdoc/>
    public void BeginStep(in StepArguments arguments)
    {
        step++;
        kernels.Arguments = arguments;
        runner.BeginStep(arguments);
    }

    /// <inheritdoc/>
    public void Wait(int stream, Wait wait) => streams[stream].Enqueue(new CpuCommand(wait.Op, step - wait.Distance, IsWait: true));

    /// <inheritdoc/>
    public void Launch(int op) => streams[memory.Schedule.Ops[op].Stream].Enqueue(new CpuCommand(op, step, IsWait: false));

    /// <inheritdoc/>
    public void Synchronize()
    {
        var ready = new List<int>();
        while (streams.Any(s => s.Count > 0))
        {
            ready.Clear();
            for (int s = 0; s < streams.Length; s++)
            {
                while (streams[s].TryPeek(out var next) && next.IsWait && completed[next.Op] >= next.Step)
                {
                    streams[s].Dequeue();
                }

                if (streams[s].TryPeek(out var head) && !head.IsWait)
                {
                    ready.Add(s);
                }
            }

            if (ready.Count == 0)
            {
                throw new InvalidOperationException("deadlock: every stream waits, although issue order is a topological order");
            }

            var command = streams[ready[random.Next(ready.Count)]].Dequeue();
            poison.Before(command.Op);
            runner.Run(command.Op);
            completed[command.Op] = command.Step;
            poison.After(command.Op);
        }

        poison.EndStep();
    }

    /// <inheritdoc/>
    public IDisposable Inspect(Action<CompletedCall> look, Action<CompletedNorm>? norm = null) => runner.Inspections!.Add(look, norm);

    /// <inheritdoc/>
    public void Write(int slot, Bytes offset, ReadOnlySpan<byte> source) => source.CopyTo(memory.Slot(slot, offset, source.Length));

    /// <inheritdoc/>
    public void Read(int slot, Bytes offset, Span<byte> destination) => memory.Slot(slot, offset, destination.Length).CopyTo(destination);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (ownsTeam)
        {
            team.Dispose();
        }

        memory.Dispose();
    }
}
