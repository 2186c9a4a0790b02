using System.Text.Json.Nodes;
using Dataflow.Cuda;

namespace Dataflow.GpuCheck;

/// <summary>
/// What a launch costs, by events around 2,000 small kernels, and what the host takes to queue one: plans add the first to every kernel.
/// </summary>
internal sealed class LaunchStage : Stage
{
    /// <inheritdoc/>
    public override string Name => "launches";

    /// <inheritdoc/>
    public override string Title => "the gap between small kernels, by the GPU's clock";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(30);

    /// <inheritdoc/>
    public override TimeSpan Share => CaseLimit;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) => ["gap"];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        var gpu = settings.OpenGpu();
        using var context = CudaContext.Open(gpu);
        var cost = LaunchCost.Measure(context, GpuAccess.KernelsFor(gpu));
        var (profile, file) = settings.ProfileFor(gpu);
        double assumed = profile.KernelLaunchSeconds.Value;
        string detail =
            $"{cost.GpuSeconds * 1e6:0.00} us from kernel to kernel on the GPU, {cost.GraphSeconds * 1e6:0.00} within a CUDA graph, the "
                + $"host takes {cost.HostSeconds * 1e6:0.00} us to queue one; profile {Path.GetFileName(file)} assumes {assumed * 1e6:0.00}"
            + (cost.QueuedAhead ? "" : "; the GPU began before all were queued, so that its figure may be the host's");
        return CaseResult.Of(cost.QueuedAhead || settings.Emulated, detail, new JsonObject
        {
            ["kernels"] = cost.Kernels,
            ["gpu_seconds"] = cost.GpuSeconds,
            ["host_seconds"] = cost.HostSeconds,
            ["graph_seconds"] = cost.GraphSeconds,
            ["queued_ahead"] = cost.QueuedAhead,
            ["profile_seconds"] = assumed,
        });
    }
}
