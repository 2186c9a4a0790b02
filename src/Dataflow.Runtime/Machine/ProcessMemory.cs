using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// What a process takes of host memory beside the arenas of its plan: code, the runtime, the plan's own description, buffers for files.
/// Budgets bound the arenas alone; this comes on top.
/// </summary>
public static class ProcessMemory
{
    // The most that was seen with few ops, and what an op adds to that: bench/results/process-memory.md.
    private static readonly Bytes s_base = new(128L << 20);
    private static readonly Bytes s_op = new(1L << 10);

    /// <summary>
    /// The most to expect of a process whose plan has that many ops. Memory that a GPU's driver takes for itself is not in it.
    /// </summary>
    public static Bytes BesideArenas(int ops) => s_base + (s_op * ops);

    /// <summary>The most that this process has had in memory so far, arenas among it; null where the system does not say.</summary>
    public static Bytes? Peak(string root = "/") => MemoryText.Memory(MachineMemory.TextOf(root, "/proc/self/status"), "VmHWM");
}
