namespace Dataflow.Reports.Pages;

/// <summary>A step of a range test to show.</summary>
/// <param name="Rate">The learning rate, above 0.</param>
/// <param name="Loss">In nats.</param>
/// <param name="Smoothed">The loss without its noise.</param>
public readonly record struct RateLoss(double Rate, double Loss, double Smoothed);

/// <summary>A range test to show.</summary>
/// <param name="Title">Heads the page.</param>
/// <param name="Facts">What was run, a phrase each.</param>
/// <param name="Points">By rising rate.</param>
/// <param name="Suggestion">The rate to mark; null where there is none.</param>
/// <param name="Reason">Why that one, or why none.</param>
public sealed record LearningRateCurve(
    string Title,
    IReadOnlyList<string> Facts,
    IReadOnlyList<RateLoss> Points,
    double? Suggestion,
    string Reason
);

/// <summary>
/// A range test as one page of HTML with nothing to fetch: the loss over the learning rate on a logarithmic axis, with the suggested rate
/// marked, and the same as a table. Its text is a function of its argument alone.
/// </summary>
public static class LearningRatePage
{
    /// <summary>The page.</summary>
    public static string Of(LearningRateCurve curve)
    {
        ArgumentNullException.ThrowIfNull(curve);
        return WebText.Page(
            "rates",
            curve.Title,
            WebText.Load("page.css", "rates.css"),
            Data(curve),
            WebText.Load("charts.js", "format.js", "heatmap-options.js", "report-axes.js", "rates.js")
        );
    }

    private static string Data(LearningRateCurve curve) => WebText.Json(json =>
    {
        json.WriteString("title", curve.Title);
        json.WriteStartArray("facts");
        foreach (string fact in curve.Facts)
        {
            json.WriteStringValue(fact);
        }

        json.WriteEndArray();
        json.WriteString("reason", curve.Reason);
        if (curve.Suggestion is { } suggestion)
        {
            json.WriteNumber("suggestion", suggestion);
        }
        else
        {
            json.WriteNull("suggestion");
        }

        json.WriteStartArray("points");
        foreach (var (rate, loss, smoothed) in curve.Points)
        {
            json.WriteStartArray();
            json.WriteNumberValue(rate);
            json.WriteNumberValue(loss);
            json.WriteNumberValue(smoothed);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    });
}
