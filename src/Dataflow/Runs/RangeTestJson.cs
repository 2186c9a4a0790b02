using System.Text.Json.Nodes;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A range test as JSON: the last event of its run.</summary>
public static class RangeTestJson
{
    /// <summary>Of what was found.</summary>
    /// <param name="found">The result.</param>
    /// <param name="page">The page that was written; null if none was.</param>
    public static JsonObject Of(RangeTestResult found, string? page)
    {
        ArgumentNullException.ThrowIfNull(found);
        return new JsonObject
        {
            ["event"] = "lr_find",
            ["suggestion"] = found.Suggestion,
            ["reason"] = found.Reason,
            ["end"] = found.End switch
            {
                RangeTestEnd.Whole => "whole",
                RangeTestEnd.Exploded => "exploded",
                RangeTestEnd.NotFinite => "not_finite",
                _ => "interrupted",
            },
            ["from"] = found.Range.From,
            ["to"] = found.Range.To,
            ["steps"] = found.Steps,
            ["lr"] = new JsonArray([.. found.Points.Select(p => JsonValue.Create(p.Rate))]),
            ["loss"] = new JsonArray([.. found.Points.Select(p => JsonValue.Create(p.Loss))]),
            ["smoothed"] = new JsonArray([.. found.Points.Select(p => JsonValue.Create(p.Smoothed))]),
            ["page"] = page,
        };
    }
}
