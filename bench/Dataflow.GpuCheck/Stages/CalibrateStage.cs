using System.Text.Json.Nodes;

namespace Dataflow.GpuCheck;

/// <summary>`dataflow calibrate`: measures the machine and writes the profile that later stages plan with.</summary>
internal sealed class CalibrateStage : Stage
{
    /// <summary>The profile's file in the folder of the results.</summary>
    public const string ProfileFile = "profile.json";

    private static readonly TimeSpan s_help = TimeSpan.FromSeconds(20);

    /// <inheritdoc/>
    public override string Name => "calibrate";

    /// <inheritdoc/>
    public override string Title => "the machine measured: a hardware profile";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(190);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) => ["profile"];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        string dataflow = Path.Combine(CheckSettings.Root, "bin", "dataflow");
        if (ChildProcess.Run(dataflow, ["calibrate", "--help"], s_help, _ => { }) is { Status: not 0 } refused)
        {
            return new CaseResult(Verdict.Missing, $"`dataflow calibrate` is not there: {refused.LastLine}");
        }

        string file = Path.Combine(settings.ResultFolder(settings.OpenGpu()), ProfileFile);
        string unproved = file + ".tmp";
        var outcome = ChildProcess.Run(dataflow, ["calibrate", "--device", settings.DeviceName, "--out", unproved], CaseLimit - s_help, say);
        if (outcome.Status != 0 || !File.Exists(unproved))
        {
            File.Delete(unproved);
            return new CaseResult(outcome.Status is null ? Verdict.OutOfTime : Verdict.Failed, $"`dataflow calibrate` ended with status {outcome.Status}: {outcome.LastLine}");
        }

        File.Move(unproved, file, overwrite: true);
        var (profile, _) = settings.ProfileFor(settings.OpenGpu());
        return CaseResult.Of(true,
            $"bf16 {profile.Bf16FlopsPerSecond.Value / 1e12:0} TFLOP/s, memory {profile.MemoryBandwidthBytesPerSecond.Value / 1e9:0} GB/s, "
            + $"to the device {profile.HostToDevice.BytesPerSecond.Value / 1e9:0.0} GB/s ({profile.HostToDevice.BytesPerSecondBothBusy.Value / 1e9:0.0} both ways), "
            + $"to the host {profile.DeviceToHost.BytesPerSecond.Value / 1e9:0.0} ({profile.DeviceToHost.BytesPerSecondBothBusy.Value / 1e9:0.0}), reserved {profile.ReservedDevice}",
            JsonNode.Parse(File.ReadAllText(file)) as JsonObject);
    }
}
