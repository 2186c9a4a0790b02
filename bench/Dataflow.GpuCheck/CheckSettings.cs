using System.Globalization;
using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>What is checked, on what, and where results go.</summary>
/// <param name="Emulated">A dry run over the emulated driver, with sizes that a CPU can do.</param>
/// <param name="Limit">Of all stages together; in the process of a case, of that.</param>
/// <param name="Wanted">`stage` or `stage/case`; empty for the usual ones.</param>
/// <param name="Folder">Where results go; null: a folder of the GPU's name in $OUT or bench/results.</param>
/// <param name="Poll">How long NVML is left alone between two looks at the GPU's memory.</param>
/// <param name="List">Only say which cases would run, in their order.</param>
/// <param name="From">A folder with the results of an earlier call, which are taken over where there are none yet; null for none.</param>
internal sealed record CheckSettings(
    bool Emulated,
    TimeSpan Limit,
    IReadOnlyList<string> Wanted,
    string? Folder,
    TimeSpan Poll,
    bool List,
    string? From
)
{
    /// <summary>Chooses the device: cuda or cuda-emulated. The conformance tests know it, too.</summary>
    public const string DeviceVariable = "DATAFLOW_DEVICE";

    // A session has 15 minutes on a GPU, of which each start takes one or two.
    private static readonly int[] s_callSeconds = [540, 240];
    private const int EmulatedSeconds = 7200;
    private const int UsualPoll = 20;
    private const double UsualClock = 0.25;

    /// <summary>Seconds that a second of the clocks takes in a rehearsal: limits and shares are so much shorter. Null in none.</summary>
    public double? Clock { get; init; }

    /// <summary>1, or 2 for what a second call begins with.</summary>
    public int Call { get; init; } = 1;

    /// <summary>The checkout, or the folder that the bundle was unpacked in.</summary>
    public static string Root { get; } = Locations.Root
        ?? throw new MachineException("kernels/ is not above this program: run it in a checkout or in the unpacked bundle");

    /// <summary>Of the sources: as the bundle notes it, else as git does.</summary>
    public static string Commit { get; } = ReadCommit();

    /// <summary>--call 1|2 --rehearse --clock SHARE --device NAME --limit SECONDS --out DIR --poll MILLISECONDS --list stage...</summary>
    /// <exception cref="UserErrorException">One of them cannot be used.</exception>
    public static CheckSettings Parse(IReadOnlyList<string> arguments)
    {
        string device = Environment.GetEnvironmentVariable(DeviceVariable) ?? "cuda";
        int? seconds = null;
        int call = 1;
        double? clock = null;
        int poll = UsualPoll;
        bool list = false;
        string? folder = null, from = null;
        var wanted = new List<string>();
        for (int i = 0; i < arguments.Count; i++)
        {
            string Value() => ++i < arguments.Count ? arguments[i] : throw new UserErrorException($"{arguments[i - 1]} needs a value");
            int Count(string unit) =>
                int.TryParse(Value(), NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n > 0
                    ? n
                    : throw new UserErrorException($"{arguments[i - 1]} is no number of {unit}");
            switch (arguments[i])
            {
                case "--device":
                    device = Value();
                    break;
                case "--limit":
                    seconds = Count("seconds");
                    break;
                case "--poll":
                    poll = Count("milliseconds");
                    break;
                case "--call":
                    call = Count("a call");
                    break;
                case "--rehearse":
                    device = "cuda-emulated";
                    clock ??= UsualClock;
                    break;
                case "--clock":
                    clock =
                        double.TryParse(Value(), NumberStyles.Float, CultureInfo.InvariantCulture, out double share)
                        && share is > 0 and <= 100
                            ? share
                            : throw new UserErrorException(
                                "--clock takes what a rehearsal makes of a second: a number above 0, for example 0.25");
                    break;
                case "--list":
                    list = true;
                    break;
                case "--from":
                    from = Value();
                    break;
                case "--out":
                    folder = Value();
                    break;
                case var option when option.StartsWith('-'):
                    throw new UserErrorException(
                        $"unknown option {option}; there are --call 1|2, --rehearse, --clock SHARE, --device cuda|cuda-emulated, "
                            + $"--limit SECONDS, --poll MILLISECONDS, --out DIR, --from DIR and --list, and the stages {StageList.Names}"
                    );
                case var name:
                    StageList.CheckName(name);
                    wanted.Add(name);
                    break;
            }
        }

        if (call > s_callSeconds.Length)
        {
            throw new UserErrorException("--call takes 1 or 2: a session has no more");
        }

        if (clock is not null && device != "cuda-emulated")
        {
            throw new UserErrorException("--clock is for --rehearse: on a GPU a second takes a second");
        }

        double usual = device == "cuda-emulated" && clock is null ? EmulatedSeconds : s_callSeconds[call - 1] * (clock ?? 1);
        return device is "cuda" or "cuda-emulated"
            ? new CheckSettings(
                device == "cuda-emulated",
                TimeSpan.FromSeconds(seconds ?? usual),
                wanted,
                folder,
                TimeSpan.FromMilliseconds(poll),
                list,
                from
            )
            {
                Clock = clock,
                Call = call,
            }
            : throw new UserErrorException($"'{device}' is no device to check; choose cuda or cuda-emulated");
    }

    /// <summary>The same as arguments, for a process of one case.</summary>
    /// <param name="limit">Of the case: it may make do with less than it would take.</param>
    public IEnumerable<string> Arguments(string folder, TimeSpan limit) =>
        [
            "--device",
            DeviceName,
            "--out",
            folder,
            "--limit",
            $"{Math.Max(1, (int)limit.TotalSeconds)}",
            "--poll",
            $"{Poll.TotalMilliseconds:0}",
        ];

    /// <summary>As the options of dataflow call it.</summary>
    public string DeviceName => Emulated ? "cuda-emulated" : "cuda";

    /// <summary>The GPU, or the emulated one.</summary>
    /// <exception cref="MachineException">There is none.</exception>
    public CudaGpu OpenGpu() => GpuAccess.First(Emulated);

    /// <summary>The measured profile of an earlier stage, else the shipped one of a GPU of that name.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public (HardwareProfile Profile, string File) ProfileFor(CudaGpu gpu)
    {
        string measured = Path.Combine(ResultFolder(gpu), CalibrateStage.ProfileFile);
        if (File.Exists(measured))
        {
            return (HardwareFiles.Load(measured), measured);
        }

        var known = HardwareFiles.All().FirstOrDefault(p => p.DeviceNames.Contains(gpu.Name) || (Emulated && p.IsCalled("h200")));
        return known is not null
            ? (known, known.Name)
            : throw new UserErrorException(
                $"there is no hardware profile of {gpu.Name}: run the stage calibrate first, or add one to profiling/hardware"
            );
    }

    /// <summary>Where this GPU's results go.</summary>
    public string ResultFolder(CudaGpu gpu)
    {
        string name = string.Concat(gpu.Name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-'));
        string? outside = Environment.GetEnvironmentVariable("OUT");
        return Folder ?? Path.Combine(string.IsNullOrEmpty(outside) ? Path.Combine(Root, "bench", "results") : outside, name);
    }

    private static string ReadCommit()
    {
        string noted = Path.Combine(Root, "COMMIT");
        if (File.Exists(noted))
        {
            return File.ReadAllText(noted).Trim();
        }

        var git = ChildProcess.Run(
            "git",
            ["-C", Root, "-c", "safe.directory=*", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            TimeSpan.FromSeconds(10),
            _ => { }
        );
        return git.Status == 0 ? git.Output.Trim() : "unknown";
    }
}
