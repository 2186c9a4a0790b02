using System.Runtime.Intrinsics;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>Collects <see cref="MachineFacts"/> from this machine. Changes nothing on it.</summary>
internal static class MachineSurvey
{
    /// <summary>As of now.</summary>
    public static MachineFacts Take()
    {
        string? memInfo = Text("/proc/meminfo");
        string? limits = Text("/proc/self/limits");
        string? status = Text("/proc/self/status");
        GroupLimit[] groups =
        [
            .. ProcText.GroupFiles(Text("/proc/self/cgroup"))
                .Select(g => ProcText.LimitOf(g.Group, Text(g.LimitFile), Text(g.UsedFile)))
                .OfType<GroupLimit>(),
        ];
        string? demoText = Checkout.Find("data", "kjv.txt");
        var (profiles, fault) = Profiles();
        return new MachineFacts
        {
            Processors = Environment.ProcessorCount,
            VectorBits = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128,
            CpuInfo = Text("/proc/cpuinfo"),
            MemInfo = memInfo,
            GroupLimits = groups,
            Limits = limits,
            Status = status,
            Pinned = LockedMemory.Probe(LockedMemory.Bound(Diagnosis.LockLimit(limits, status), Diagnosis.Available(memInfo, groups))),
            HugePages = Text("/sys/kernel/mm/transparent_hugepage/enabled"),
            DriverText = Text("/proc/driver/nvidia/version"),
            Libraries = CudaLibraries.Find(),
            Gpus = GpuSurvey.Read(),
            DemoText = demoText,
            DemoTextSource = Text(demoText + ".source")?.Trim(),
            Profiles = profiles,
            ProfilesFault = fault,
        };
    }

    private static (IReadOnlyList<HardwareProfile> Profiles, string? Fault) Profiles()
    {
        try
        {
            return (HardwareFiles.All(), null);
        }
        catch (UserErrorException e)
        {
            return ([], e.Message);
        }
    }

    private static string? Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // another system, or nothing of the kind here
        }
    }
}
