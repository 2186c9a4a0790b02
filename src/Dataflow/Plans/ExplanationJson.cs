using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>Why a plan is as fast as it is, for machines.</summary>
public static class ExplanationJson
{
    /// <summary>One object; what only a search knows is null or empty where none was asked.</summary>
    /// <param name="why">Where the step's time goes.</param>
    /// <param name="machine">What it was simulated on.</param>
    /// <param name="recipe">What a better recipe would take; null where there is none.</param>
    public static JsonObject Of(PlanExplanation why, HardwareProfile machine, string? recipe) => new()
    {
        ["hardware"] = machine.Name,
        ["bound"] = Explanations.NameOf(why.Bound),
        ["sentence"] = Explanations.Sentence(why),
        ["tok_per_sec"] = why.TokensPerSecond,
        ["compute_ceiling_tok_per_sec"] = why.ComputeCeilingTokensPerSecond,
        ["compute_share_of_step"] = why.ComputeShare,
        ["recomputed_share_of_compute"] = why.RecomputedShare,
        ["exposed_copies_share_of_step"] = why.ExposedShare,
        ["exposed_copies"] = new JsonArray([.. why.Exposed.Select(e => new JsonObject
        {
            ["kind"] = e.Kind, ["to"] = Explanations.NameOf(e.Direction), ["seconds"] = e.Nanoseconds / 1e9, ["ops"] = e.Ops,
        })]),
        ["links"] = new JsonArray([.. why.Links.Select(l => new JsonObject
        {
            ["to"] = Explanations.NameOf(l.Direction), ["bytes_per_s"] = l.Has * 1e9, ["stalls_below_bytes_per_s"] = l.StallsBelow * 1e9,
        })]),
        ["more_device_memory"] = Of(why.MoreDevice),
        ["more_host_memory"] = Of(why.MoreHost),
        ["ample_host_memory"] = Of(why.AmpleHost),
        ["recipe"] = recipe,
        ["others"] = new JsonArray([.. why.Others.Select(o => new JsonObject
        {
            ["tok_per_sec"] = o.Candidate.TokensPerSecond,
            ["slower"] = o.Slower,
            ["reason"] = Explanations.NameOf(o.Reason),
            ["device_bytes"] = o.Candidate.Device.Value,
            ["host_bytes"] = o.Candidate.Host.Value,
            ["choice"] = PlanChoiceJson.Of(o.Candidate.Choice),
        })]),
    };

    private static JsonObject? Of(MemoryGain? gain) => gain is null ? null : new JsonObject
    {
        ["bytes"] = gain.More.Value, ["tok_per_sec"] = gain.TokensPerSecond, ["gain"] = gain.Gain,
    };
}
