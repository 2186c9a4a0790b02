using System.Collections.Immutable;
using System.Globalization;
using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow;

/// <summary>From measurements to a hardware profile, each figure with what it was measured by and under which conditions.</summary>
public static class CalibratedProfile
{
    /// <summary>The profile.</summary>
    /// <param name="measured">What was measured of the machine.</param>
    /// <param name="how">What was run to measure it.</param>
    /// <param name="conditions">Machine, load and date, for every source.</param>
    public static HardwareProfile Of(MachineMeasurement measured, Calibration how, string conditions)
    {
        var (kernels, link) = (measured.Kernels, measured.Link!);
        Figure Measured(double value, string source) => new(value, FigureKind.Measured, $"{source}; {conditions}");
        LinkProfile Link(double alone, double both, double latency) => new(
            Measured(Whole(alone), "copies of the size of objects one after the other, mean"),
            Measured(Whole(Math.Min(alone, both)), "the same while the other direction copies as much"),
            Measured(latency, "median over 256 copies of 1 KiB in a full queue"));
        var gpu = how.Device.Kind == DeviceKind.Cpu ? null : CudaGpu.All()[0];
        string steps =
            $"steps of layers of the models, {how.Recipe.Name}, kernel by kernel, mean over {kernels.Count:N0} kernels under sustained "
                + $"load";
        var own = Measured(Whole(kernels.Best(KernelClass.Gemm, link.Launch)), $"the best of all products: {steps}");
        var other =
            measured.Others.Count > 0
                ? Measured(
                    Whole(measured.Others.Best(KernelClass.Gemm, link.Launch)),
                    "the best product of the first case in this number format"
                )
                : own;
        bool bf16 = how.Recipe.Activations == DType.BFloat16;
        return new HardwareProfile
        {
            Name = HardwareFiles.CalibratedName(gpu is null ? HardwareKind.Cpu : HardwareKind.Gpu),
            Aliases = [],
            DeviceNames = gpu is null ? [] : [gpu.Name],
            Kind = gpu is null ? HardwareKind.Cpu : HardwareKind.Gpu,
            ComputeCapability = gpu?.Capability,
            SmCount = gpu is null ? null : Measured(gpu.Multiprocessors, "as the driver reports it"),
            DeviceMemoryBytes = gpu is null ? null : Measured(gpu.Memory.Value, "as the driver reports it"),
            ReservedDeviceBytes = measured.Reserved is { } reserved
                ? Measured(
                    reserved.Value,
                    gpu is null
                        ? "the arena is ordinary memory: nothing is set aside"
                        : "device memory that the process takes besides the arena, by NVML, the most of all cases"
                )
                : new Figure(CaseRun.AssumedReserve.Value, FigureKind.Estimate, "NVML did not say what the process takes: assumed"),
            Bf16FlopsPerSecond = bf16 ? own : other,
            Fp32FlopsPerSecond = bf16 ? other : own,
            MemoryBandwidthBytesPerSecond = Measured(
                Whole(kernels.Best(KernelClass.Memory, link.Launch)),
                $"the best of all kernels that read and write their operands once: {steps}"
            ),
            Links =
            [
                Link(link.ToDevice, link.ToDeviceBoth, link.ToDeviceLatency),
                Link(link.ToHost, link.ToHostBoth, link.ToHostLatency),
            ],
            KernelLaunchSeconds = Measured(
                link.Launch,
                gpu is null
                    ? "median distance of 2000 small kernels, by the host's clock"
                    : "median distance of 2000 small kernels that were queued before the first began, by the GPU's events"
            ),
            GraphLaunchSeconds = link.GraphLaunch is { } inGraph
                ? Measured(inGraph, "the same of graphs of 500 kernels, their beginning included")
                : null,
            ReferenceMinChunkTokens = null,
            PowerLimitWatts = PowerLimit(how.Device.Kind) is { } watts ? Measured(watts, "the enforced limit, by NVML") : null,
            HostMemoryBandwidthBytesPerSecond = null,
            Efficiency = ImmutableSortedDictionary<string, Figure>.Empty
                .Add(LinkDirection.HostToDevice.Name, Measured(1, "the rates above were reached"))
                .Add(LinkDirection.DeviceToHost.Name, Measured(1, "the rates above were reached")),
            Cudnn = measured.Cudnn.Count == 0
                ? null
                : new CudnnRates(
                    CudnnHandle.LibraryVersion,
                    Measured(Whole(measured.Cudnn.LongAttention(KernelClass.AttentionForward, link.Launch)), $"long rows: {steps}"),
                    Measured(Whole(measured.Cudnn.LongAttention(KernelClass.AttentionBackward, link.Launch)), $"long rows: {steps}")
                ),
            Kernels = kernels.Rates(how.Recipe.Activations, $"{steps}; {conditions}", link.Launch),
        };
    }

    /// <summary>What the CPU calls itself.</summary>
    public static string Processor => Line("/proc/cpuinfo", "model name") ?? "CPU";

    /// <summary>What the machine is and what else it was doing.</summary>
    public static string Conditions(DeviceOptions device, string loadBefore)
    {
        string processor = Processor;
        string machine =
            device.Kind == DeviceKind.Cpu
                ? $"{processor}, {device.Threads} threads on {Environment.ProcessorCount} cores"
                : $"{CudaGpu.All()[0].Name}{(device.Kind == DeviceKind.CudaEmulated ? " (emulated: these times say nothing)" : "")} in a "
                    + $"machine with {processor}, {Environment.ProcessorCount} cores";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{machine}; load average {loadBefore} at the start, {Load()} at the end; {DateTime.UtcNow:yyyy-MM-dd}"
        );
    }

    /// <summary>The load average of the last minute.</summary>
    public static string Load() => Line("/proc/loadavg", "")?.Split(' ')[0] ?? "unknown";

    private static double? PowerLimit(DeviceKind device)
    {
        if (device != DeviceKind.Cuda)
        {
            return null;
        }

        using var monitor = GpuMonitor.Open(CudaGpu.All()[0]);
        return monitor.WattsLimit();
    }

    private static string? Line(string file, string label)
    {
        try
        {
            return File.ReadLines(file).FirstOrDefault(l => l.StartsWith(label, StringComparison.Ordinal))?.Split(':', 2)[^1].Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // another system
        }
    }

    private static double Whole(double value) => Math.Round(value);
}
