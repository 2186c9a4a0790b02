using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu.Tests;

/// <summary>The CPU device with two, one and three threads, and from order 3 on as an adversary that picks any legal op next.</summary>
public sealed class CpuDevices : DeviceUnderTest
{
    private static readonly int[] s_threads = [2, 1, 3];

    public override IDevice Open(Schedule schedule, Workload workload, int order) => order < s_threads.Length
        ? new CpuDevice(schedule, workload, s_threads[order])
        : new InterleavedCpuDevice(schedule, workload, threads: 1, seed: order);
}
