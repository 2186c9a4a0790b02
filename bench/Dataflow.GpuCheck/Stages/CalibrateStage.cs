using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>`dataflow calibrate`: measures the machine and writes the profile that later stages plan with.</summary>
internal sealed class CalibrateStage : Stage
{
    /// <summary>The profile's file in the folder of the results.</summary>
    public const string ProfileFile = "profile.json";

    private const string Seconds = "80";
    private static readonly TimeSpan s_reserve = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public override string Name => "calibrate";

    /// <inheritdoc/>
    public override string Title => "the machine measured: a hardware profile";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(150);

    /// <inheritdoc/>
    public override TimeSpan Share => CaseLimit;

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(90);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) => ["profile"];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        string dataflow = Path.Combine(CheckSettings.Root, "bin", "dataflow");
        string file = Path.Combine(settings.ResultFolder(settings.OpenGpu()), ProfileFile);
        string unproved = file + ".tmp";
        var outcome = ChildProcess.Run(
            dataflow,
            [
                "calibrate",
                "--device",
                settings.DeviceName,
                "--dtype",
                "bf16",
                "--seconds",
                settings.Emulated ? "5" : Seconds,
                "--out",
                unproved,
            ],
            settings.Limit - s_reserve,
            say
        );
        if (outcome.Status != 0 || !File.Exists(unproved))
        {
            File.Delete(unproved);
            var verdict =
                outcome.Status is null ? Verdict.OutOfTime
                : outcome.LastLine.Contains("is no verb", StringComparison.Ordinal) ? Verdict.Missing
                : Verdict.Failed;
            return new CaseResult(
                verdict,
                outcome.Status is null
                    ? $"`dataflow calibrate` was not done in {(settings.Limit - s_reserve).TotalSeconds:0} s"
                    : outcome.LastLine
            );
        }

        File.Move(unproved, file, overwrite: true);
        var (profile, _) = settings.ProfileFor(settings.OpenGpu());
        return CaseResult.Of(true,
            $"bf16 {profile.Bf16FlopsPerSecond.Value / 1e12:0} TFLOP/s, memory {profile.MemoryBandwidthBytesPerSecond.Value / 1e9:0} GB/s, "
                + $"to the device {profile.Link(LinkDirection.HostToDevice).BytesPerSecond.Value / 1e9:0.0} GB/s "
                + $"({profile.Link(LinkDirection.HostToDevice).BytesPerSecondBothBusy.Value / 1e9:0.0} both ways), "
                + $"to the host {profile.Link(LinkDirection.DeviceToHost).BytesPerSecond.Value / 1e9:0.0} "
                + $"({profile.Link(LinkDirection.DeviceToHost).BytesPerSecondBothBusy.Value / 1e9:0.0}), reserved "
                + $"{profile.ReservedDevice}, "
                + (profile.Cudnn is { } by
                    ? $"attention by cuDNN {by.Release} {by.ForwardFlopsPerSecond.Value / 1e12:0} and "
                        + $"{by.BackwardFlopsPerSecond.Value / 1e12:0} TFLOP/s"
                    : "no attention by cuDNN"),
            JsonNode.Parse(File.ReadAllText(file)) as JsonObject
        );
    }
}
