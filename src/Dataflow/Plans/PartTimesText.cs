using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>How compute's time in a step is shared out between a model's parts: for machines, and for people.</summary>
public static class PartTimesText
{
    /// <summary>An object a part: its layers, seconds, and its share of all of them, 0 to 1.</summary>
    public static JsonArray Json(ModelConfig model, Schedule schedule, Timeline timeline)
    {
        var parts = PartTimes.Of(model, schedule, timeline);
        double all = Math.Max(1, parts.Sum(p => p.Nanoseconds));
        return new JsonArray([.. parts.Select(p => new JsonObject
        {
            ["part"] = p.Part, ["layers"] = p.Layers, ["seconds"] = p.Nanoseconds / 1e9, ["share"] = p.Nanoseconds / all,
        })]);
    }

    /// <summary>
    /// "Compute: 61.2% 48 gated delta layers, 20.4% 16 attention layers, 15.0% embedding and head, 3.4% optimizer"; null where all layers
    /// are of one kind, so that there is nothing to tell apart.
    /// </summary>
    public static string? Line(ModelConfig model, Schedule schedule, Timeline timeline)
    {
        var parts = PartTimes.Of(model, schedule, timeline);
        double all = Math.Max(1, parts.Sum(p => p.Nanoseconds));
        var shares = parts.Select(p => $"{p.Nanoseconds / all:0.0%} {Named(p)}");
        return parts.Count(p => p.Layers > 0) > 1 ? $"Compute: {string.Join(", ", shares)}" : null;
    }

    private static string Named(PartTime part) =>
        part.Layers switch { 0 => part.Part, 1 => $"1 {part.Part[..^1]}", _ => $"{part.Layers:N0} {part.Part}" };
}
