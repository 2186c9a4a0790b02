using System.Text.Json;
using Dataflow.Text.Templates;

namespace Dataflow.Text.Tests.Templates;

/// <summary>The cases of tests/golden-text/templates: what Jinja itself gives for each.</summary>
internal static class Golden
{
    public static readonly DateTime Now = new(2026, 1, 15, 9, 30, 5);

    public static string Folder { get; } = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../golden-text/templates"));

    public static IReadOnlyList<JsonElement> Lines(string file) =>
        [.. File.ReadLines(Path.Combine(Folder, file)).Select(l => JsonDocument.Parse(l).RootElement)];

    public static string Template(string name) => File.ReadAllText(Path.Combine(Folder, name + ".jinja"));

    /// <summary>What a rendering gives: its text, or its fault as Python names it.</summary>
    public static string Outcome(Func<string> render)
    {
        try
        {
            return "text " + render();
        }
        catch (TemplateException e)
        {
            return "error " + e.Error + (e.Kind is TemplateErrorKind.Syntax or TemplateErrorKind.Assertion ? $" (line {e.Line})" : "");
        }
    }

    /// <summary>What it should give: of faults, the kind; the message too where the template chose it, the line where Jinja names
    /// one.</summary>
    public static string? Difference(JsonElement expected, string outcome)
    {
        string wanted;
        if (expected.TryGetProperty("expected", out JsonElement text)) wanted = "text " + text.GetString();
        else
        {
            wanted = "error " + expected.GetProperty("error").GetString();
            int colon = wanted.IndexOf(':', StringComparison.Ordinal);
            if (!wanted.StartsWith("error TemplateError:", StringComparison.Ordinal))
            {
                string kind = wanted[..(colon < 0 ? wanted.Length : colon)];
                string line = expected.TryGetProperty("lineno", out JsonElement lineno) && lineno.ValueKind == JsonValueKind.Number
                    ? $"(line {lineno})" : "";
                if (outcome.StartsWith(kind + ":", StringComparison.Ordinal)
                    && outcome.EndsWith(line, StringComparison.Ordinal)) return null;
                return $"expected {wanted} {line}\n     got {outcome}";
            }
        }
        return outcome == wanted ? null : $"expected {wanted}\n     got {outcome}";
    }
}
