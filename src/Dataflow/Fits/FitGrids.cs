using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Reports;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The grid of the page that says what fits.</summary>
public static class FitGrids
{
    private const string FileName = "fit.json";

    /// <summary>The models of the page.</summary>
    public static IReadOnlyList<string> Models { get; } =
    [
        "qwen3-0.6b", "llama-3.2-1b", "qwen3-4b", "llama-3.1-8b", "qwen3-8b", "gemma-3-12b", "qwen3-14b", "mistral-small-24b",
        "gemma-3-27b", "qwen3-30b-a3b", "qwen3-32b", "llama-3.3-70b",
    ];

    /// <summary>Tokens of a sequence that are tried.</summary>
    public static IReadOnlyList<int> Seqlens { get; } = [2_048, 8_192, 32_768, 131_072];

    /// <summary>Host memory that is tried.</summary>
    public static IReadOnlyList<int> HostGib { get; } = [32, 64, 128, 256];

    /// <summary>The GPUs that have a profile, the smallest first.</summary>
    public static IReadOnlyList<HardwareProfile> Machines =>
        [
            .. HardwareFiles.All().Where(m => m.Kind == HardwareKind.Gpu)
                .OrderBy(m => m.DeviceMemory?.Value).ThenBy(m => m.Name, StringComparer.Ordinal),
        ];

    /// <summary>The grid that comes with the program.</summary>
    /// <exception cref="UserErrorException">It is missing, or is none.</exception>
    public static FitGrid Shipped() => (Locations.Find("bench", "results", FileName) ?? Locations.Find(FileName)) is { } path
        ? FitGrid.Parse(path, InputFile.ReadText(path, new Bytes(1 << 24)))
        : throw new UserErrorException($"{FileName} is not beside the program; make it with `dataflow fit --grid {FileName}`");

    /// <summary>Computes one.</summary>
    /// <param name="models">Names of models.</param>
    /// <param name="machines">GPUs.</param>
    /// <param name="seqlens">Tokens of a sequence, ascending.</param>
    /// <param name="hostGib">Host memory, ascending.</param>
    /// <param name="note">What it is computed with.</param>
    /// <param name="done">Told of each model that is done.</param>
    /// <exception cref="UserErrorException">There is no such model.</exception>
    public static FitGrid Compute(
        IReadOnlyList<string> models,
        IReadOnlyList<HardwareProfile> machines,
        IReadOnlyList<int> seqlens,
        IReadOnlyList<int> hostGib,
        string note,
        Action<string> done)
    {
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(done);
        var (known, cells) = (new List<FitModel>(), new List<double[]>());
        foreach (string name in models)
        {
            using var source = ModelSource.Open(name);
            known.Add(new FitModel(name, source.Model.ParameterCount));
            FitCase[] cases =
            [
                .. from machine in machines
                from method in FitMethods.All
                from seqlen in seqlens
                from host in hostGib
                select new FitCase(
                    name, source.Model, machine, method, seqlen, new MemoryBudget(Bytes.FromGiB(host), Fits.DeviceMemory(machine))),
            ];
            double[][] answers = new double[cases.Length][];
            Fits.Answer(cases, (i, answer) => answers[i] = Cell(answer));
            cells.AddRange(answers);
            done(name);
        }

        return new FitGrid(
            note,
            known,
            [.. machines.Select(m => new FitMachine(m.Name, Gib(Fits.DeviceMemory(m))))],
            [.. FitMethods.All.Select(FitMethods.NameOf)],
            seqlens,
            hostGib,
            cells);
    }

    private static double[] Cell(FitAnswer answer) => answer switch
    {
        { Figures: { } f } =>
        [
            Rounded(f.TokensPerSecond), f.StepTokens, Gib(f.Device), Gib(f.Host), Rounded(f.WithMoreDevice), Rounded(f.WithMoreHost),
            Rounded(f.WithFasterLinks),
        ],
        { LeastHost: { } least } => [Math.Ceiling(least.Value / (double)(1 << 30))],
        _ => [],
    };

    private static double Gib(Bytes size) => Math.Round(size.Value / (double)(1 << 30), 2);

    /// <summary>To four digits: no prediction has more.</summary>
    private static double Rounded(double value)
    {
        if (value <= 0)
        {
            return 0;
        }

        double unit = Math.Pow(10, Math.Floor(Math.Log10(value)) - 3);
        return Math.Round(Math.Round(value / unit) * unit, 3);
    }
}
