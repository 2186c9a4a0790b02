using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>A simulation's answer for machines: one object; what an infeasible request has not is null.</summary>
public static class SimulationJson
{
    private const double Giga = 1e9;

    /// <summary>The object.</summary>
    public static JsonObject Of(SimulationAnswer answer)
    {
        var request = answer.Request;
        var step = (answer as SimulationAnswer.Feasible)?.Step;
        var json = new JsonObject
        {
            ["feasible"] = step is not null,
            ["reason"] = (answer as SimulationAnswer.Infeasible)?.Reason,
            ["changes"] = answer is SimulationAnswer.Infeasible { Changes: var changes }
                ? new JsonArray([.. changes.Select(c => JsonValue.Create(c))])
                : null,
            ["model"] = request.Model.Name,
            ["seqlen"] = request.Seqlen,
            ["hardware"] = request.Hardware.Name,
            ["standing"] = request.Standing.Json(),
            ["policy"] = PlanPolicies.NameOf(request.Policy),
            ["dtype"] = request.ChosenRecipe.Name,
            ["base_weights"] = request.Model.BaseWeights?.Name(),
            ["device_budget_bytes"] = request.Budget.Device.Value,
            ["host_budget_bytes"] = request.Budget.Host.Value,
            ["tok_per_sec"] = step?.Throughput.TokensPerSecond,
            ["tflops"] = step?.Throughput.FlopsPerSecond / 1e12,
            ["mfu"] = step?.Throughput.Mfu,
            ["hfu"] = step?.Throughput.Hfu,
            ["step_seconds"] = step?.Seconds,
            ["speed_of_light_seconds"] = step?.SpeedOfLight,
            ["tokens_per_step"] = step?.Geometry.TokensPerStep,
            ["chunk_tokens"] = step?.Geometry.ChunkTokens,
            ["chunks_per_round"] = step?.Geometry.ChunksPerRound,
            ["rounds_per_step"] = step?.Geometry.Rounds,
            ["attention"] = step is null || request.Policy == PlanPolicy.Reference ? null : AttentionProviders.Told(step.Geometry),
            ["device_peak_bytes"] = step?.Device.Value,
            ["host_peak_bytes"] = step?.Host.Value,
            ["ops"] = step?.Schedule.Ops.Length,
            ["plan_hash"] = step?.Hash,
        };
        if (step is not null)
        {
            json["compute_busy_seconds"] = step.Timeline.Busy(step.Schedule, StepStreams.Compute) / Giga;
            json["compute_parts"] = PartTimesText.Json(request.Model, step.Schedule, step.Timeline);
            json["links"] = new JsonArray([.. LinkUse.Of(step.Timeline, step.Costs.AsSpan()).Select(u => new JsonObject
            {
                ["direction"] = u.Direction.Name,
                ["bytes"] = u.Bytes, ["copies"] = u.Copies, ["busy_seconds"] = u.BusyNanoseconds / Giga, ["bytes_per_s"] = u.BytesPerSecond,
            })]);
            json["stalls"] = new JsonArray([.. step.Stalls.Select(s => new JsonObject
            {
                ["awaited"] = s.Reason, ["seconds"] = s.Nanoseconds / Giga, ["ops"] = s.Times,
            })]);
        }

        return json;
    }
}
