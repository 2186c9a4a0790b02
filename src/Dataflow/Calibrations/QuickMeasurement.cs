using System.Security.Cryptography;
using System.Text;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// A few seconds' look at a CPU that nobody calibrated, once a machine, number of threads and number format, and again at the next run
/// where others were using the processors meanwhile. For predictions alone: no plan knows of it, since results depend on a plan's geometry.
/// </summary>
internal static class QuickMeasurement
{
    private const double Seconds = 3;
    private const string Name = "this-cpu-quick";

    /// <summary>What others may take of the processors before what was measured is not worth keeping.</summary>
    private const double MostTakenByOthers = 0.1;

    /// <summary>More memory than it takes while it lasts (bench/results/process-memory.md).</summary>
    private static readonly Bytes s_takes = new(384L << 20);

    /// <summary>
    /// The profile, and what part of the processors others had while it was measured, 0 where it was little enough to keep the profile;
    /// null where none was kept and there is too little memory to measure one.
    /// </summary>
    /// <param name="device">What is measured.</param>
    /// <param name="recipe">The types of the operands.</param>
    /// <param name="free">Memory that the run leaves free.</param>
    /// <param name="remember">Whether to use one that was kept, and to keep this one.</param>
    public static (HardwareProfile Profile, double TakenByOthers)? Of(DeviceOptions device, Recipe recipe, Bytes free, bool remember)
    {
        var formats = recipe.Activations == DType.BFloat16 ? Recipe.Bf16 : Recipe.Fp32;
        string path = HardwareFiles.Calibrated($"{Name}-{KeyOf(device, formats)}");
        return remember && Kept(path) is { } known ? (known, 0)
            : free >= s_takes ? Measured(device, formats, remember ? path : null)
            : null;
    }

    private static (HardwareProfile Profile, double TakenByOthers) Measured(DeviceOptions device, Recipe recipe, string? path)
    {
        string load = CalibratedProfile.Load();
        var before = ProcessorUse.Now();
        var calibration = new Calibration(device, recipe, Seconds) { IsQuick = true };
        var measured = Work.Named("measuring this CPU, once", () => calibration.Run((_, _) => { }));
        var profile = CalibratedProfile.Of(measured, calibration, CalibratedProfile.Conditions(device, load)) with { Name = Name };
        double taken = before is { } then && ProcessorUse.Now() is { } now ? now.TakenByOthersSince(then, device.Threads) : 0;
        if (taken > MostTakenByOthers)
        {
            return (profile, taken);
        }

        if (path is not null)
        {
            Keep(path, HardwareProfileWriter.Write(profile));
        }

        return (profile, 0);
    }

    /// <summary>What another processor, or another build's kernels, would measure otherwise.</summary>
    private static string KeyOf(DeviceOptions device, Recipe recipe)
    {
        string all = string.Join(
            '\n',
            CalibratedProfile.Processor,
            device.Threads,
            Environment.ProcessorCount,
            recipe.Name,
            typeof(Cpu.CpuDevice).Assembly.ManifestModule.ModuleVersionId
        );
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all)))[..16];
    }

    private static HardwareProfile? Kept(string path)
    {
        try
        {
            return File.Exists(path) ? HardwareFiles.Load(path) : null;
        }
        catch (UserErrorException)
        {
            return null; // damaged, or of an older program: measured again
        }
    }

    private static void Keep(string path, string text)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            AtomicFile.WriteText(path, text);
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or UserErrorException or MachineException)
        {
            // It is measured again.
        }
    }
}
