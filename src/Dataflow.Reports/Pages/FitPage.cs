using System.Text.Json.Nodes;

namespace Dataflow.Reports.Pages;

/// <summary>
/// What fits as one page of HTML with nothing to fetch: a model, a GPU and a memory to choose, and the answer for each way of training. Its
/// text is a function of its argument alone.
/// </summary>
public static class FitPage
{
    /// <summary>The page.</summary>
    public static string Of(FitGrid grid)
    {
        ArgumentNullException.ThrowIfNull(grid);
        var data = JsonNode.Parse(grid.ToJson())!.AsObject();
        return WebText.Page(
            "fit",
            "Will it fit?",
            WebText.Load("page.css", "fit.css"),
            WebText.Packed(json =>
            {
                foreach (var (name, value) in data)
                {
                    json.WritePropertyName(name);
                    value!.WriteTo(json);
                }
            }),
            WebText.Load("unpack.js", "format.js", "fit.js"),
            module: true);
    }
}
