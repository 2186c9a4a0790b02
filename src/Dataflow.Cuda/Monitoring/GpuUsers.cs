using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>Who fills a GPU, for the messages of those that find it full.</summary>
internal static class GpuUsers
{
    /// <summary>
    /// "process 123 uses 20.000 GiB, process 456 uses 1.000 GiB"; null where there is no other one, or nothing can be learnt.
    /// </summary>
    public static string? Describe(CudaGpu gpu)
    {
        try
        {
            using var monitor = GpuMonitor.Open(gpu);
            string[] others =
            [
                .. monitor.Processes().Where(p => p.Id != Environment.ProcessId).OrderByDescending(p => p.Used ?? Bytes.Zero)
                    .Select(p => $"process {p.Id} uses {(p.Used is { } used ? used.ToString() : "some")}"),
            ];
            return others.Length > 0 ? string.Join(", ", others) : null;
        }
        catch (Exception e) when (e is MachineException or EntryPointNotFoundException)
        {
            return null; // the message that this belongs to matters more
        }
    }
}
