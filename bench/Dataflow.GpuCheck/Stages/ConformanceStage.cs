using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Dataflow.GpuCheck;

/// <summary>The conformance suite that every device passes, as a program, on this one.</summary>
internal sealed partial class ConformanceStage : Stage
{
    private const string Program = "Dataflow.Conformance.Tests";
    private const string Rehearsed = Program + ".FrozenTypeTests";

    /// <inheritdoc/>
    public override string Name => "conformance";

    /// <inheritdoc/>
    public override string Title => "the conformance suite of all devices";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(170);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) => ["suite"];

    /// <inheritdoc/>
    // `make test` runs it there; a rehearsal takes one class of it
    public override IReadOnlyList<string> UsualCases(CheckSettings settings) =>
        settings.Emulated && settings.Clock is null ? [] : Cases(settings);

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(120);

    /// <inheritdoc/>
    public override IReadOnlyList<string> FirstCases(CheckSettings settings) => [];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        string[] places =
        [
            Path.Combine(CheckSettings.Root, "programs"),
            Path.Combine(CheckSettings.Root, "tests", Program, "bin", "Release", "net10.0"),
        ];
        if (places.Select(p => Path.Combine(p, Program + ".dll")).FirstOrDefault(File.Exists) is not { } program)
        {
            return new CaseResult(Verdict.Missing, $"{Program} is neither in the bundle nor built");
        }

        var outcome = ChildProcess.Run(
            Environment.ProcessPath!,
            [program, "-noLogo", "-noColor", .. settings.Emulated ? (string[])["-class", Rehearsed] : []],
            settings.Limit,
            say,
            new Dictionary<string, string> { [CheckSettings.DeviceVariable] = settings.DeviceName }
        );
        var summary = Summary().Match(outcome.Output);
        if (!summary.Success)
        {
            return new CaseResult(outcome.Status is null ? Verdict.OutOfTime : Verdict.Failed, outcome.LastLine);
        }

        int Count(string group) => int.Parse(summary.Groups[group].Value);
        int bad = Count("errors") + Count("failed"), run = Count("total") - Count("skipped") - Count("idle");
        string first = outcome.Output.Split('\n').FirstOrDefault(l => l.Contains("[FAIL]", StringComparison.Ordinal))?.Trim() ?? "";
        return CaseResult.Of(
            outcome.Status == 0 && bad == 0 && run > 0,
            bad == 0 ? $"{run} tests passed" : $"{bad} of {run} tests failed: {first}",
            new JsonObject
            {
                ["tests"] = run,
                ["failed"] = bad,
                ["skipped"] = Count("skipped"),
            }
        );
    }

    [GeneratedRegex(
        @"Total: (?<total>\d+), Errors: (?<errors>\d+), Failed: (?<failed>\d+), Skipped: (?<skipped>\d+), Not Run: (?<idle>\d+)"
    )]
    private static partial Regex Summary();
}
