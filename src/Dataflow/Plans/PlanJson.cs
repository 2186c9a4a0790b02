using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>A plan, or why there is none, for machines.</summary>
public static class PlanJson
{
    /// <summary>One object; what an infeasible request has not is null.</summary>
    /// <param name="request">What was planned.</param>
    /// <param name="result">The plan, or why there is none.</param>
    /// <param name="smallest">The least device and host memory that would do, each at the other's given budget; null where none
    /// would.</param>
    /// <param name="by">Who planned.</param>
    /// <param name="notes">What its recipe costs.</param>
    /// <param name="hostIsThisMachines">See <see cref="Budgets.HostIsThisMachines"/>.</param>
    public static JsonObject Of(
        PlanRequest request,
        PlanResult result,
        (Bytes? Device, Bytes? Host)? smallest,
        PolicySettings by,
        PlanNotes notes,
        bool hostIsThisMachines = false
    )
    {
        var plan = (result as PlanResult.Feasible)?.Plan;
        var geometry = plan?.Workload.Geometry;
        var infeasible = result as PlanResult.Infeasible;
        var answer = new JsonObject
        {
            ["feasible"] = plan is not null,
            ["reason"] = infeasible?.Reason,
            ["model"] = request.Model.Name,
            ["parameters"] = request.Model.ParameterCount,
            ["frozen"] = request.Model.Frozen?.Patterns,
            ["adapter"] = request.Model.Adapter?.Text,
            ["base_weights"] = request.Model.BaseWeights?.Name(),
            ["dtype"] = request.Recipe.Name,
            ["optimizer"] = request.Optimizer.Name,
            ["bf16_master_fits"] = notes.MasterFits,
            ["notes"] = new JsonArray([.. notes.Lines.Select(l => JsonValue.Create(l))]),
            ["policy"] = PlanPolicies.NameOf(by.Policy),
            ["planned_for"] = by.Policy == PlanPolicy.Auto ? by.Machine!.Name : null,
            ["standing"] = PlanStanding.Of(by.Machine, request.Model, request.Budget, hostIsThisMachines).Json(),
            ["seqlen"] = request.Seqlen,
            ["device_budget_bytes"] = request.Budget.Device.Value,
            ["host_budget_bytes"] = request.Budget.Host.Value,
            ["chunk_tokens"] = geometry?.ChunkTokens,
            ["chunks_per_round"] = geometry?.ChunksPerRound,
            ["rounds_per_step"] = geometry?.Rounds,
            ["vocabulary_blocks"] = geometry?.VocabularyBlocks,
            ["attention"] = geometry is null ? null : AttentionProviders.Told(geometry),
            ["rows_per_step"] = geometry?.Rows,
            ["tokens_per_step"] = geometry?.TokensPerStep,
            ["save_set"] = plan is null ? null : SaveSets.NameOf(plan.Residency.Travelling),
            ["window_segments"] = plan?.Residency.WindowSegments,
            ["device_peak_bytes"] = plan?.DevicePeak.Value,
            ["host_peak_bytes"] = plan?.HostPeak.Value,
            ["model_state_bytes"] = plan is null ? null : Plans.ModelState(plan).Value,
            ["ops"] = plan?.Schedule.Ops.Length,
            ["plan_hash"] = plan?.Hash,
        };
        if (infeasible is not null || smallest is not null)
        {
            answer["smallest_device_bytes"] = infeasible?.SmallestDevice.Value ?? smallest?.Device?.Value;
            answer["smallest_host_bytes"] = infeasible?.SmallestHost.Value ?? smallest?.Host?.Value;
        }

        if (infeasible is not null)
        {
            answer["changes"] = new JsonArray([.. infeasible.Changes.Select(c => JsonValue.Create(c))]);
            answer["smallest_pairs"] = new JsonArray([
                .. infeasible.Pairs.Select(p => new JsonObject { ["device_bytes"] = p.Device.Value, ["host_bytes"] = p.Host.Value }),
            ]);
        }

        if (plan is not null)
        {
            answer["copies_per_step"] = Copies(plan.Traffic);
            answer["recomputed_per_step"] = Recomputed(plan.Traffic);
        }

        return answer;
    }

    /// <summary>The copies of a step by kind and direction.</summary>
    public static JsonArray Copies(PlanTraffic traffic) =>
    [
        .. traffic.Copies.Select(c => new JsonObject
        {
            ["kind"] = c.Kind,
            ["to"] = c.Direction.Target.Name,
            ["copies"] = c.Copies,
            ["bytes"] = c.Bytes.Value,
        }),
    ];

    /// <summary>What is computed twice.</summary>
    public static JsonArray Recomputed(PlanTraffic traffic) =>
        [
            .. traffic.Recomputed.Select(r => new JsonObject
            {
                ["tensors"] = r.Tensors.Replace(", ", ",", StringComparison.Ordinal).ToLowerInvariant(),
                ["ops"] = r.Ops,
            }),
        ];
}
