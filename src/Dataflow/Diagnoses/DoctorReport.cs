using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow;

/// <summary>The checks, for people and for machines.</summary>
public static class DoctorReport
{
    // Texts are read by people: quotes and dashes stay what they are.
    private static readonly JsonSerializerOptions s_plain = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>A line a check: status, name, finding and what to do.</summary>
    public static void Write(TextWriter output, IReadOnlyList<Check> checks)
    {
        int status = checks.Max(c => WordOf(c.Status).Length);
        int name = checks.Max(c => c.Name.Length);
        foreach (var check in checks)
        {
            string advice = check.Advice.Length > 0 ? $" — {check.Advice}" : "";
            output.WriteLine(
                $"{WordOf(check.Status).PadRight(status)}  {check.Name.PadRight(name)}  {OneLine(check.Finding)}{OneLine(advice)}"
            );
        }
    }

    /// <summary>One object with all checks.</summary>
    public static string Json(IReadOnlyList<Check> checks) => new JsonObject
    {
        ["checks"] = new JsonArray([.. checks.Select(c => new JsonObject
        {
            ["check"] = c.Name,
            ["status"] = WordOf(c.Status),
            ["finding"] = c.Finding,
            ["advice"] = c.Advice,
        })]),
    }.ToJsonString(s_plain);

    private static string WordOf(CheckStatus status) => status switch
    {
        CheckStatus.Ok => "ok",
        CheckStatus.Warn => "warn",
        CheckStatus.Missing => "missing",
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, "unknown status"),
    };

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
