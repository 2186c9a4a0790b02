using System.Diagnostics;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow;

/// <summary>
/// Measures a machine through the device that trains on it: real steps of a few layers of the models, kernel by kernel, with weights as
/// they are initialised and under sustained load; copies of the size of objects; launches. One code path for every device.
/// </summary>
/// <param name="Device">What to measure.</param>
/// <param name="Recipe">Whose kernels.</param>
/// <param name="Seconds">For all of it, about.</param>
public sealed record Calibration(DeviceOptions Device, Recipe Recipe, double Seconds)
{
    private const double LinkShare = 0.2;
    private static readonly Bytes OnCpu = new(4L << 20);
    private static readonly Bytes OnGpu = new(128L << 20);

    /// <summary>A few seconds on a CPU: a few shapes in one number format.</summary>
    public bool IsQuick { get; init; }

    // A CPU is often busy with other things, which two visits to each case even out; a GPU's cases take long to load.
    private int Passes => Device.Kind == DeviceKind.Cpu && !IsQuick ? 2 : 1;

    private IReadOnlyList<CalibrationCase> Cases => Device.Kind switch
    {
        _ when IsQuick => CalibrationCase.QuickCpu,
        DeviceKind.Cuda => CalibrationCase.Gpu,
        DeviceKind.CudaEmulated => CalibrationCase.Emulated,
        _ => CalibrationCase.Cpu,
    };

    // Attention by cuDNN, where it is there and the number format is for it.
    private IReadOnlyList<CalibrationCase> CudnnCases =>
        Device.Kind == DeviceKind.Cpu || Recipe.Activations != DType.BFloat16 || CudaLibraries.Lack(CudaLibrary.Cudnn) is not null ? []
        : Device.Kind == DeviceKind.Cuda ? CalibrationCase.Cudnn
        : CalibrationCase.EmulatedCudnn;

    /// <summary>Measures.</summary>
    /// <param name="tell">Called with what is measured next and how far it is, in percent.</param>
    public MachineMeasurement Run(Action<string, int> tell)
    {
        var measured = new MachineMeasurement();
        using var reserve = new ReservedMemory(Device.Kind);
        tell("copies and launches", 0);
        measured.Link = Links();
        double all = Seconds * (1 - LinkShare);

        // The peak of the other number format takes one case; plans in it go by constants. Cases have the same time each.
        measured.Skipped = IsQuick ? null : Measure(Cases[0], all / (1 + (Passes * Cases.Count)), measured.Others, reserve, Other);
        var cudnn = CudnnCases;
        double each = all / (Cases.Count + cudnn.Count);
        Kernels(measured, reserve, each * Cases.Count, tell);
        foreach (var one in cudnn)
        {
            tell($"{one} by cuDNN", 99);
            measured.Skipped = Cudnn(one, each, measured.Cudnn, reserve) ?? measured.Skipped;
        }

        measured.Reserved = reserve.Peak;
        return measured;
    }

    private void Kernels(MachineMeasurement measured, ReservedMemory reserve, double seconds, Action<string, int> tell)
    {
        var cases = Enumerable.Range(0, Passes).SelectMany(_ => Cases).ToList();
        var clock = Stopwatch.StartNew();
        for (int c = 0; c < cases.Count; c++)
        {
            tell(cases[c].ToString(), (int)(100 * (LinkShare + ((1 - LinkShare) * c / cases.Count))));

            // What earlier cases left over or took too long is shared by those that follow; on a slow machine the second pass falls away.
            double left = seconds - clock.Elapsed.TotalSeconds;
            if (left <= 0 && c >= Cases.Count)
            {
                break;
            }

            measured.Skipped = Measure(cases[c], Math.Max(0, left / (cases.Count - c)), measured.Kernels, reserve, Recipe)
                ?? measured.Skipped;
        }
    }

    /// <summary>Steps with attention by cuDNN, on which nothing else depends.</summary>
    /// <returns>Why it was not measured; null if it was.</returns>
    private string? Cudnn(CalibrationCase what, double seconds, KernelSamples samples, ReservedMemory reserve)
    {
        try
        {
            return Measure(what, seconds, samples, reserve, Recipe);
        }
        catch (UserErrorException e)
        {
            return $"attention by cuDNN was left out: {e.Message}";
        }
    }

    /// <summary>Measures copies and launches.</summary>
    public LinkFigures Links()
    {
        using var source = ModelSource.Open("nano");
        var workload = new Workload(source.Model, Recipe, new Geometry(32, 1, 32, 1, 1, 32), WorkloadKind.Training);
        bool gpu = Device.Kind == DeviceKind.Cuda;
        double seconds = Device.Kind == DeviceKind.CudaEmulated ? 0 : Seconds * LinkShare;
        Func<LaunchCost>? launch = Device.Gpu is { } on ? () => LaunchOn(on) : null;
        return LinkFigures.Measure(
            s => (ITimedDevice)Device.Create(s, workload),
            gpu ? OnGpu : OnCpu,
            Device.Kind == DeviceKind.CudaEmulated ? 2 : 16,
            seconds,
            launch
        );
    }

    // By the GPU's own clock: the host queues launches more slowly than small kernels run, and its clock would show that instead.
    private static LaunchCost LaunchOn(CudaGpu gpu)
    {
        using var context = CudaContext.Open(gpu);
        return LaunchCost.Measure(context, GpuAccess.KernelsFor(gpu));
    }

    /// <summary>Steps of one case: at least one is measured after the one that warms up.</summary>
    /// <returns>Why it cannot run here; null if it did.</returns>
    private string? Measure(CalibrationCase what, double seconds, KernelSamples samples, ReservedMemory reserve, Recipe recipe)
    {
        if (recipe != Recipe && Device.Kind == DeviceKind.CudaEmulated)
        {
            return null; // proves nothing that the first format does not
        }

        var started = Stopwatch.StartNew();
        using var run = CaseRun.Open(what, Device, recipe);
        if (run is null)
        {
            return $"{what} does not fit this machine and was left out";
        }

        reserve.Look(run.Arena, run.Host);
        do
        {
            run.Measure(samples);
        }
        while (started.Elapsed.TotalSeconds < seconds);
        return null;
    }

    private Recipe Other => Recipe == Recipe.Fp32 ? Recipe.Bf16 : Recipe.Fp32;
}

/// <summary>What was measured of a machine so far.</summary>
public sealed class MachineMeasurement
{
    /// <summary>Kernels of the number format that was asked for.</summary>
    public KernelSamples Kernels { get; } = new();

    /// <summary>Kernels of the other number format, at one shape.</summary>
    public KernelSamples Others { get; } = new();

    /// <summary>Kernels of steps whose attention is by cuDNN; none where it was not measured.</summary>
    public KernelSamples Cudnn { get; } = new();

    /// <summary>Copies and launches.</summary>
    public LinkFigures? Link { get; set; }

    /// <summary>Device memory besides the arena, at its peak; null where it could not be asked for.</summary>
    public Bytes? Reserved { get; set; }

    /// <summary>What could not be measured here; null if all could.</summary>
    public string? Skipped { get; set; }
}
