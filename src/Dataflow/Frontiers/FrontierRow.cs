using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>The frontier of one model at one sequence length.</summary>
/// <param name="Request">What was planned; its budget counts for nothing.</param>
/// <param name="Frontier">The least memory that will do.</param>
/// <param name="Hashes">Of the plans at the three points, in the order of <see cref="PlanFrontier"/>; null where they were not
/// made.</param>
public sealed record FrontierRow(PlanRequest Request, PlanFrontier Frontier, string?[] Hashes)
{
    /// <summary>Frontiers do not depend on it.</summary>
    public static readonly MemoryBudget NoBudget = new(Bytes.Zero, Bytes.Zero);

    /// <summary>Parameters, gradients and both moments.</summary>
    public Bytes ModelState => Plans.ModelState(Request.Model, Request.Recipe, Request.Optimizer);

    /// <summary>Finds the frontier and, if asked, plans its points.</summary>
    public static FrontierRow Of(PlanRequest request, bool hashes)
    {
        var frontier = PlanFrontier.Of(request);
        FrontierPoint[] points = [frontier.LeastDevice, frontier.BesideCompute, frontier.LeastHost];
        return new FrontierRow(request, frontier, [.. points.Select(p => hashes ? HashAt(request with { Budget = p.Memory }) : null)]);
    }

    /// <summary>One object for machines.</summary>
    public JsonObject ToJson() => new()
    {
        ["model"] = Request.Model.Name,
        ["parameters"] = Request.Model.ParameterCount,
        ["frozen"] = Request.Model.Frozen?.Patterns,
        ["adapter"] = Request.Model.Adapter?.Text,
        ["base_weights"] = Request.Model.BaseWeights?.Name(),
        ["dtype"] = Request.Recipe.Name,
        ["seqlen"] = Request.Seqlen,
        ["model_state_bytes"] = ModelState.Value,
        ["least_device"] = ToJson(Frontier.LeastDevice, Hashes[0]),
        ["copies_beside_compute"] = ToJson(Frontier.BesideCompute, Hashes[1]),
        ["least_host"] = ToJson(Frontier.LeastHost, Hashes[2]),
    };

    private static JsonObject ToJson(FrontierPoint point, string? hash)
    {
        var geometry = point.Workload.Geometry;
        return new JsonObject
        {
            ["device_bytes"] = point.Memory.Device.Value,
            ["host_bytes"] = point.Memory.Host.Value,
            ["chunk_tokens"] = geometry.ChunkTokens,
            ["chunks_per_round"] = geometry.ChunksPerRound,
            ["rounds_per_step"] = geometry.Rounds,
            ["vocabulary_blocks"] = geometry.VocabularyBlocks,
            ["attention"] = AttentionProviders.Told(geometry),
            ["save_set"] = SaveSets.NameOf(point.Residency.Travelling),
            ["window_segments"] = point.Residency.WindowSegments,
            ["on_device"] = new JsonArray([.. point.OnDevice.Select(s => new JsonObject { ["kind"] = s.Kind, ["bytes"] = s.Bytes.Value })]),
            ["plan_hash"] = hash,
        };
    }

    private static string HashAt(PlanRequest request) =>
        Planner.Plan(request) is PlanResult.Feasible { Plan: var plan }
            ? plan.Hash
            : throw new FailedException(
                $"{request.Model.Name} at {request.Seqlen} cannot be planned in {request.Budget.Device} of device and "
                    + $"{request.Budget.Host} of host memory, its own frontier"
            );
}
