using System.Text.Json.Nodes;

namespace Dataflow.GpuCheck;

/// <summary>The same model, recipe and tokens in plain PyTorch, with all the GPU's memory, for the ratio to ours on the same GPU.</summary>
internal sealed class PeerStage : Stage
{
    /// <inheritdoc/>
    public override string Name => "peer";

    /// <inheritdoc/>
    public override string Title => "plain PyTorch on the same GPU";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(170);

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(120);

    private static TimeSpan Reserve => TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) =>
        settings.Emulated ? ["nano-32"] : ["8b-8192", "8b-1024", "1b-8192"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> UsualCases(CheckSettings settings) => settings.Emulated ? Cases(settings) : ["8b-8192"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> FirstCases(CheckSettings settings) => [];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        string[] parts = name.Split('-');
        if (ChildProcess.Run("python3", ["-c", "import torch"], TimeSpan.FromSeconds(60), _ => { }) is { Status: not 0 } without)
        {
            return new CaseResult(Verdict.Missing, $"python3 has no PyTorch: {without.LastLine}");
        }

        string[] sizes = settings.Emulated
            ? ["--device", "cpu", "--step-tokens", "64", "--micro-tokens", "32"]
            : ["--device", "cuda", "--best", "--step-tokens", "131072"];
        var outcome = ChildProcess.Run(
            "python3",
            [
                Path.Combine(CheckSettings.Root, "bench", "peers", "pytorch_llama.py"),
                Path.Combine(CheckSettings.Root, "models", parts[0] + ".json"),
                "--seqlen",
                parts[1],
                .. sizes,
                "--seconds",
                $"{(settings.Limit - Reserve).TotalSeconds - 25:0}",
            ],
            settings.Limit - Reserve,
            say
        );
        if (outcome.Status != 0)
        {
            return new CaseResult(outcome.Status is null ? Verdict.OutOfTime : Verdict.Failed, outcome.LastLine);
        }

        var figures = JsonNode
            .Parse(outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Last(l => l.StartsWith('{')))!
            .AsObject();
        double speed = (double)figures["tok_per_sec"]!;
        string beside = "";
        var gpu = settings.OpenGpu();
        foreach (
            var ours in ResultFile
                .Open(settings.ResultFolder(gpu), gpu.Name)
                .All.Where(r => r.Stage == "marks" && r.Case.StartsWith(name + "-", StringComparison.Ordinal))
        )
        {
            if ((double?)ours.Result.Figures?["tok_per_sec"] is { } mine)
            {
                beside += $"; ours with {ours.Case.Split('-')[^1]} GiB: {mine / speed:0.00} times that";
            }
        }

        return CaseResult.Of(
            true,
            $"{speed:0} tok/s in its best configuration ({(string?)figures["configuration"]}), peak "
                + $"{(double)figures["peak_device_bytes"]! / (1L << 30):0.0} GiB{beside}",
            figures
        );
    }
}
