using System.Text.Json.Nodes;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>What is said once at the head of a run's figures: what runs, within what, and what is predicted of it.</summary>
internal static class RunHeader
{
    /// <summary>The fields.</summary>
    /// <param name="settings">As they are in effect.</param>
    /// <param name="plan">What runs.</param>
    /// <param name="prediction">The simulator's; null where the machine has no profile.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="data">What it trains on.</param>
    public static JsonObject Of(TrainingOptions settings, TrainingPlan plan, Prediction? prediction, string device, string data)
    {
        var geometry = plan.Workload.Geometry;
        return new JsonObject
        {
            ["steps"] = settings.Steps,
            ["model"] = ModelSource.NameOf(settings.Plan.Model),
            ["data"] = data,
            ["device"] = device,
            ["dtype"] = plan.Workload.Recipe.Name,
            ["optimizer"] = plan.Workload.Optimizer.Name,
            ["seqlen"] = geometry.Seqlen,
            ["global_batch"] = geometry.TokensPerStep,
            ["plan_hash"] = plan.Hash,
            ["device_bytes"] = plan.DevicePeak.Value,
            ["device_budget_bytes"] = plan.Budget.Device.Value,
            ["host_bytes"] = plan.HostPeak.Value,
            ["host_budget_bytes"] = plan.Budget.Host.Value,
            ["predicted_seconds"] = prediction?.Seconds,
            ["predicted_tok_per_sec"] = prediction is null ? null : geometry.TokensPerStep / prediction.Seconds,
            ["predicted_busy"] = prediction is null
                ? null
                : RunJson.Shares(StepSampler.SharesOf(prediction.Timeline, plan.Schedule)),
        };
    }
}
