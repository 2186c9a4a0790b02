using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Dataflow.Cuda;

namespace Dataflow.GpuCheck;

/// <summary>
/// Every kernel and provider against float64. `definitions`: the very tests that run on the emulated device, linked to the real driver,
/// with the launches of the kernels' head comments and their corner shapes. `launches`: the launches of Dataflow.Cuda, cuBLASLt's products
/// and attention among them, on operands of the published models' widths, a sample of whose results is computed anew.
/// </summary>
internal sealed partial class KernelStage : Stage
{
    private const string Definitions = "definitions-";
    private const string Launches = "launches-";

    private static string Tests => Path.Combine(CheckSettings.Root, "artifacts", "emulation", "tests", "kernel-tests-gpu");

    /// <inheritdoc/>
    public override string Name => "kernels";

    /// <inheritdoc/>
    public override string Title => "every kernel and provider against float64";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(120);

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(name.StartsWith(Launches, StringComparison.Ordinal) ? 8 : 3);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) =>
        [
            .. TestFiles().Select(f => Definitions + f),
            .. (settings.Emulated ? ["nano-bf16", "nano-fp32"] : new[] { "8b-bf16", "1b-bf16", "8b-fp32" }).Select(l => Launches + l),
        ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> UsualCases(CheckSettings settings) =>
        settings.Emulated
            ?
            [
                .. Cases(settings)
                    .Where(c =>
                        c is Definitions + "rms_norm" or Definitions + "memory" || c.StartsWith(Launches, StringComparison.Ordinal)
                    ),
            ]
            : Cases(settings);

    /// <inheritdoc/>
    public override IReadOnlyList<string> FirstCases(CheckSettings settings) => [];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say) =>
        name.StartsWith(Definitions, StringComparison.Ordinal)
            ? RunTests(name[Definitions.Length..], settings, say)
            : RunLaunches(name[Launches.Length..], settings, say);

    [GeneratedRegex(@"Total: (\d+), Errors: \d+, Failed: (\d+)")]
    private static partial Regex Summary();

    private static IEnumerable<string> TestFiles()
    {
        var listed = ChildProcess.Run(Tests, ["--list"], TimeSpan.FromSeconds(60), _ => { });
        const string ending = "_tests.cpp";
        string[] files =
        [
            .. listed
                .Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Where(f => f.EndsWith(ending, StringComparison.Ordinal)),
        ];
        return listed.Status == 0 && files.Length > 0 ? files.Select(f => f[..^ending.Length]) : ["none"];
    }

    private CaseResult RunTests(string file, CheckSettings settings, Action<string> say)
    {
        if (!File.Exists(Tests))
        {
            return new CaseResult(Verdict.Missing, $"{Path.GetFileName(Tests)} is not there: `make emulation` builds it in a checkout");
        }

        _ = settings.OpenGpu();
        var environment = new Dictionary<string, string> { ["DATAFLOW_TEST_DRIVER"] = CudaLibraries.Locate(CudaLibrary.Driver)! };
        var outcome = ChildProcess.Run(Tests, [file + "_tests.cpp"], settings.Limit, say, environment);
        if (outcome.Status is null)
        {
            return new CaseResult(Verdict.OutOfTime, $"ended after {settings.Limit.TotalSeconds:0} s; it last said: {outcome.LastLine}");
        }

        var summary = Summary().Match(outcome.Output);
        int total = summary.Success ? int.Parse(summary.Groups[1].Value) : 0;
        return CaseResult.Of(
            outcome.Status == 0 && total > 0,
            outcome.Status == 0
                ? $"{total} tests passed"
                : outcome.Output.Split('\n').FirstOrDefault(l => l.Contains(" failed: ", StringComparison.Ordinal)) ?? outcome.LastLine,
            new JsonObject { ["tests"] = total, ["failed"] = summary.Success ? int.Parse(summary.Groups[2].Value) : null }
        );
    }

    private static CaseResult RunLaunches(string name, CheckSettings settings, Action<string> say)
    {
        using var bench = KernelTrials.CheckBench(settings, name);
        var faults = new List<string>();
        var figures = new JsonObject();
        var makers = KernelTrials
            .Memory.Concat(KernelTrials.Attention)
            .Concat(ProductTrials.All(bench.Model).Select(p => (Func<Workbench, KernelTrial>)(b => p.Make(b).Trial)));
        double worst = 0;
        foreach (var make in makers)
        {
            var trial = make(bench);
            trial.Launch();
            bench.Stream.Synchronize();
            var compare = new Comparison();
            trial.Check(compare);
            worst = Math.Max(worst, compare.Worst);
            figures[trial.Name] = double.IsFinite(compare.Worst) ? compare.Worst : null;
            faults.AddRange(compare.Faults.Select(f => $"{trial.Name}: {f}"));
            say($"{trial.Name}: {(compare.Faults.Count == 0 ? $"errs by {compare.Worst:0%} of its bound" : compare.Faults[0])}");
            bench.Clear();
        }

        return CaseResult.Of(
            faults.Count == 0,
            faults.Count == 0
                ? $"{figures.Count} launches on {bench.Tokens} tokens; the worst errs by {worst:0%} of its bound"
                : $"{faults.Count} results are out of bounds: {string.Join("; ", faults.Take(3))}",
            new JsonObject { ["tokens"] = bench.Tokens, ["share_of_bound"] = figures }
        );
    }
}
