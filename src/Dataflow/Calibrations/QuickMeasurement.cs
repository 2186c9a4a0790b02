using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// A few seconds' look at a CPU that nobody calibrated, once a machine, number of threads and number format. Where others were using the
/// processors meanwhile, a later run looks again, once they no longer do. For predictions alone: no plan knows of it, since results depend
/// on a plan's geometry.
/// </summary>
internal static class QuickMeasurement
{
    private const double Seconds = 3;
    private const string Name = "this-cpu-quick";
    private const string Busy = "-busy-";

    /// <summary>What others may take of the processors before what was measured is worth measuring again.</summary>
    private const double MostTakenByOthers = 0.1;

    /// <summary>Long enough to count the kernel's ticks.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(100);

    /// <summary>More memory than it takes while it lasts (bench/results/process-memory.md).</summary>
    private static readonly Bytes s_takes = new(384L << 20);

    /// <summary>
    /// The profile, and what part of the processors others had while it was measured, 0 where it was little; null where none was kept and
    /// there is too little memory to measure one.
    /// </summary>
    /// <param name="device">What is measured.</param>
    /// <param name="recipe">The types of the operands.</param>
    /// <param name="free">Memory that the run leaves free.</param>
    /// <param name="remember">Whether to use one that was kept, and to keep this one.</param>
    public static (HardwareProfile Profile, double TakenByOthers)? Of(DeviceOptions device, Recipe recipe, Bytes free, bool remember)
    {
        var formats = recipe.Activations == DType.BFloat16 ? Recipe.Bf16 : Recipe.Fp32;
        string path = HardwareFiles.Calibrated($"{Name}-{KeyOf(device, formats)}");
        if (remember && Kept(path) is { } known)
        {
            return (known, 0);
        }

        var disturbed = remember ? Disturbed(path) : null;
        if (free < s_takes || (disturbed is not null && IsBusy(device.Threads)))
        {
            return disturbed;
        }

        var (profile, taken) = Measured(device, formats);
        if (remember)
        {
            Keep(taken > 0 ? PathOfDisturbed(path, taken) : path, HardwareProfileWriter.Write(profile), instead: DisturbedOnes(path));
        }

        return (profile, taken);
    }

    private static (HardwareProfile Profile, double TakenByOthers) Measured(DeviceOptions device, Recipe recipe)
    {
        string load = CalibratedProfile.Load();
        var before = ProcessorUse.Now();
        var calibration = new Calibration(device, recipe, Seconds) { IsQuick = true };
        var measured = Work.Named("measuring this CPU, once", () => calibration.Run((_, _) => { }));
        double taken = TakenSince(before, device.Threads);
        var profile = CalibratedProfile.Of(measured, calibration, CalibratedProfile.Conditions(device, load)) with { Name = Name };
        return (profile, taken > MostTakenByOthers ? taken : 0);
    }

    private static bool IsBusy(int threads)
    {
        var before = ProcessorUse.Now();
        Thread.Sleep(s_look);
        return TakenSince(before, threads) > MostTakenByOthers;
    }

    private static double TakenSince(ProcessorUse? before, int threads) =>
        before is { } then && ProcessorUse.Now() is { } now ? now.TakenByOthersSince(then, threads) : 0;

    /// <summary>One that was measured while others had the processors: how much of them stands in its name.</summary>
    private static (HardwareProfile Profile, double TakenByOthers)? Disturbed(string path)
    {
        foreach (string file in DisturbedOnes(path))
        {
            string percent = Path.GetFileNameWithoutExtension(file)[(Path.GetFileNameWithoutExtension(path).Length + Busy.Length)..];
            if (int.TryParse(percent, NumberStyles.None, CultureInfo.InvariantCulture, out int taken) && Kept(file) is { } profile)
            {
                return (profile, taken / 100.0);
            }
        }

        return null;
    }

    private static string PathOfDisturbed(string path, double taken) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{path[..^Path.GetExtension(path).Length]}{Busy}{Math.Max(1, Math.Round(100 * taken)):0}{Path.GetExtension(path)}");

    private static string[] DisturbedOnes(string path)
    {
        try
        {
            return Directory.GetFiles(
                Path.GetDirectoryName(path)!, $"{Path.GetFileNameWithoutExtension(path)}{Busy}*{Path.GetExtension(path)}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
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

    private static void Keep(string path, string text, string[] instead)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            AtomicFile.WriteText(path, text);
            foreach (string old in instead.Where(o => o != path))
            {
                File.Delete(old);
            }
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or UserErrorException or MachineException)
        {
            // It is measured again.
        }
    }
}
