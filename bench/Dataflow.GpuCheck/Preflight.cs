using System.Diagnostics;
using System.Text.Json.Nodes;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.GpuCheck;

/// <summary>
/// What a large run would trip over, in half a minute: what host memory there is and whether it grows, how fast it is pinned, what pinning
/// takes of the GPU (page tables, by NVML), and how fast pinned memory is copied, alone and both ways at once.
/// </summary>
internal static class Preflight
{
    private const int Copies = 8;

    /// <summary>Looks. What fails is in the result, and the rest is looked at all the same.</summary>
    public static CaseResult Run(CheckSettings settings, Action<string> say)
    {
        Bytes little = new(settings.Emulated ? 4L << 20 : 1L << 30), much = new(settings.Emulated ? 8L << 20 : 32L << 30);
        var figures = new JsonObject { ["host_memory"] = HostMemory() };
        var faults = new List<string>();
        var gpu = settings.OpenGpu();
        using var monitor = GpuMonitor.Open(gpu);
        using var context = CudaContext.Open(gpu);
        string rates = "";
        foreach (var length in new[] { little, much })
        {
            long before = monitor.Memory().Used.Value;
            var clock = Stopwatch.StartNew();
            try
            {
                using var pinned = PinnedMemory.Allocate(context, length, PinnedMemoryOptions.For("the preflight"));
                double seconds = clock.Elapsed.TotalSeconds;
                long tables = monitor.Memory().Used.Value - before;
                say($"pinned {length} in {seconds:0.0} s; the GPU's memory in use grew by {new Bytes(Math.Max(0, tables))}");
                figures[$"pinned_{length.Value}"] = new JsonObject
                {
                    ["seconds"] = seconds,
                    ["device_bytes_taken"] = tables,
                    ["device_bytes_expected"] = DeviceReserve.PageTables(length).Value,
                    ["huge_pages"] = pinned.HasHugePages,
                    ["next_to_gpu"] = pinned.IsNextToGpu,
                };
                if (tables > (DeviceReserve.PageTables(length) + DeviceReserve.Slack).Value)
                {
                    faults.Add($"pinning {length} takes {new Bytes(tables)} of the GPU, more than plans reserve for it");
                }

                if (length == little)
                {
                    figures["copies"] = CopyRates(context, pinned, out rates);
                }
            }
            catch (MachineException e)
            {
                faults.Add(e.Message);
            }
        }

        figures["host_memory_after"] = HostMemory();
        var memory = MachineMemory.Read();
        string grows = memory.Growth is { } growth ? $", and may grow ({growth.Sign})" : "";
        string detail = $"host memory {memory.Total}{grows}, {memory.Available} free; {rates}";
        return CaseResult.Of(faults.Count == 0, faults.Count == 0 ? detail : $"{string.Join("; ", faults)}; {detail}", figures);
    }

    private static JsonObject HostMemory()
    {
        var memory = MachineMemory.Read();
        return new JsonObject
        {
            ["total_bytes"] = memory.Total.Value,
            ["available_bytes"] = memory.Available.Value,
            ["limit_bytes"] = memory.Limit?.Limit.Value,
            ["growth"] = memory.Growth?.Sign,
            ["runtime_says_bytes"] = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            ["meminfo"] = File.Exists("/proc/meminfo")
                ? new JsonArray([.. File.ReadLines("/proc/meminfo").Take(5).Select(l => (JsonNode)l)])
                : null,
        };
    }

    /// <summary>Bytes a second to the device, to the host, and of each with the other beside it.</summary>
    private static JsonObject CopyRates(CudaContext context, PinnedMemory pinned, out string said)
    {
        var half = new Bytes(pinned.Length.Value / 2);
        using var memory = DeviceMemory.Allocate(context, pinned.Length, "the preflight");
        using var down = CudaStream.Create(context);
        using var up = CudaStream.Create(context);
        down.Fill(memory.Start, 0x5a, pinned.Length);
        down.Synchronize();
        void ToDevice() => down.CopyToDevice(memory.Start, pinned, Bytes.Zero, half);
        void ToHost() => up.CopyToHost(pinned, half, memory.Start + half, half);
        double Rate(params Action[] copies)
        {
            double best = 0;
            for (int i = 0; i < Copies; i++)
            {
                long start = Stopwatch.GetTimestamp();
                Array.ForEach(copies, copy => copy());
                context.Synchronize();
                best = Math.Max(best, half.Value / Stopwatch.GetElapsedTime(start).TotalSeconds);
            }

            return best;
        }

        double one = Rate(ToDevice), other = Rate(ToHost), both = Rate(ToDevice, ToHost);
        said = $"pinned copies {one / 1e9:0.0} GB/s to the device, {other / 1e9:0.0} to the host, {both / 1e9:0.0} each with both at once";
        return new JsonObject { ["to_device_bytes_per_s"] = one, ["to_host_bytes_per_s"] = other, ["each_with_both_bytes_per_s"] = both };
    }
}
