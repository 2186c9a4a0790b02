using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The hardware profiles: files of the checkout's profiling/hardware, or their copies beside the program.</summary>
public static class HardwareFiles
{
    private static readonly Bytes LargestProfile = new(1 << 20);
    private const string AnyCpu = "cpu";

    /// <summary>A profile by its name, an alias (in any case) or the path of its file.</summary>
    /// <exception cref="UserErrorException">There is none of that name, or the file is not a complete profile.</exception>
    public static HardwareProfile Load(string nameOrPath)
    {
        if (nameOrPath.Contains(Path.DirectorySeparatorChar) || nameOrPath.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            return Read(nameOrPath);
        }

        // The file of that name first: another one that cannot be read is no reason to refuse it.
        string? folder = Folder;
        string own = Path.Combine(folder ?? "", nameOrPath.ToLowerInvariant() + ".json");
        if (folder is not null && nameOrPath.Length > 0 && File.Exists(own))
        {
            return Read(own);
        }

        if (Calibrated(nameOrPath.ToLowerInvariant()) is { } measured && File.Exists(measured))
        {
            return Read(measured);
        }

        var known = All();
        return known.FirstOrDefault(p => p.IsCalled(nameOrPath))
            ?? throw new UserErrorException(
                $"there is no hardware profile '{nameOrPath}'; choose {NamesOf(known)}, or give the path of a profile "
                    + $"(profiling/README.md says how to make one)"
            );
    }

    /// <summary>All profiles by name.</summary>
    /// <exception cref="UserErrorException">The folder is missing, or holds something that is no complete profile.</exception>
    public static IReadOnlyList<HardwareProfile> All() =>
        Folder is { } folder
            ? [.. Directory.GetFiles(folder, "*.json").Order(StringComparer.Ordinal).Select(Read)]
            : throw new UserErrorException(
                "the hardware profiles are missing: neither profiling/hardware of the checkout nor hardware beside the program is there; "
                    + "run `make build`"
            );

    /// <summary>Where `dataflow calibrate` leaves the profile of this machine: in the checkout's cache, else beside the program.</summary>
    public static string Calibrated(string name) => Path.Combine(Locations.Cache("hardware"), name + ".json");

    /// <summary>The profile of this machine's GPU: the one that was measured here, else the one that names it.</summary>
    /// <param name="gpu">As the driver calls it.</param>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static HardwareProfile OfGpu(string gpu)
    {
        string measured = Calibrated(CalibratedName(HardwareKind.Gpu));
        return (
            File.Exists(measured) && Read(measured) is var own && own.DeviceNames.Contains(gpu)
                ? own
                : All().FirstOrDefault(p => p.DeviceNames.Contains(gpu))
        )
            ?? throw new UserErrorException(
                $"no hardware profile is of this GPU ({gpu}); measure it with `dataflow calibrate --device cuda`, or name the nearest "
                    + $"with --hardware"
            );
    }

    /// <summary>
    /// The profile of the machine that a run takes place on: the one that was named, else the one that was measured here, else, of a CPU,
    /// that of one like it; null if there is none.
    /// </summary>
    /// <param name="device">What the run takes place on.</param>
    /// <param name="named">What --hardware says, which may be another machine that the plan is made for.</param>
    public static HardwareProfile? ThisMachine(DeviceKind device, HardwareProfile? named)
    {
        if (device == DeviceKind.CudaEmulated)
        {
            return null; // its times say nothing about a machine
        }

        var kind = device == DeviceKind.Cpu ? HardwareKind.Cpu : HardwareKind.Gpu;
        string measured = Calibrated(CalibratedName(kind));
        return named?.Kind == kind ? named
            : File.Exists(measured) ? Read(measured)
            : kind == HardwareKind.Cpu && Folder is not null ? Load(AnyCpu) : null;
    }

    /// <summary>The name of the profile that `dataflow calibrate` writes.</summary>
    public static string CalibratedName(HardwareKind kind) => kind == HardwareKind.Cpu ? "this-cpu" : "this-gpu";

    private static string? Folder => Locations.Find("profiling", "hardware") ?? Locations.Find("hardware");

    private static string NamesOf(IReadOnlyList<HardwareProfile> known) =>
        string.Join(", ", known.Select(p => p.Aliases.IsEmpty ? p.Name : $"{p.Name} ({string.Join(", ", p.Aliases)})"));

    private static HardwareProfile Read(string file)
    {
        return File.Exists(file) || Directory.Exists(file)
            ? HardwareProfileReader.Parse(InputFile.ReadText(file, LargestProfile), file)
            : throw new UserErrorException($"{file} does not exist; give the name of a hardware profile or the path of one");
    }
}
