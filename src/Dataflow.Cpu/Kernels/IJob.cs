namespace Dataflow.Cpu.Kernels;

/// <summary>One loop body for <see cref="ThreadTeam.For{TJob}"/>: a value type, so that the loop allocates nothing.</summary>
public interface IJob
{
    /// <summary>
    /// Computes the outputs of <paramref name="index"/>, and no others. <paramref name="worker"/> names the scratch memory this
    /// call may use; it must not influence the result.
    /// </summary>
    void Run(int index, int worker);
}
