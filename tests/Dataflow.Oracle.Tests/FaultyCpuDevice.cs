using Dataflow.Cpu;
using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Oracle.Tests;

/// <summary>The CPU's kernels, op by op in the order of their issue, with a fault between the two.</summary>
internal sealed class FaultyCpuDevice : IDevice
{
    private readonly CpuMemory memory;
    private readonly CpuKernels kernels;
    private readonly OpRunner runner;
    private readonly ThreadTeam team = new(1);

    /// <param name="planted">What stands between the ops' calls and the kernels.</param>
    public FaultyCpuDevice(Schedule schedule, Workload workload, Func<IKernels, IKernels> planted)
    {
        (memory, kernels) = (new CpuMemory(schedule), new CpuKernels(team));
        runner = memory.Runner(workload, planted(kernels));
        runner.Prepare();
    }

    public string Name => "cpu with a fault";

    public IDevice For(Schedule schedule, Workload workload) => throw new NotSupportedException("made for one schedule");

    public void BeginStep(in StepArguments arguments) => kernels.Arguments = arguments;

    // Issue order is a topological order.
    public void Wait(int stream, Wait wait)
    {
    }

    public void Launch(int op) => runner.Run(op);

    public void Synchronize()
    {
    }

    public void Write(int slot, Bytes offset, ReadOnlySpan<byte> source) => source.CopyTo(memory.Slot(slot, offset, source.Length));

    public void Read(int slot, Bytes offset, Span<byte> destination) => memory.Slot(slot, offset, destination.Length).CopyTo(destination);

    public void Dispose()
    {
        team.Dispose();
        memory.Dispose();
    }
}
