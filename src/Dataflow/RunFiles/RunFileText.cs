using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Dataflow;

/// <summary>Writes what <see cref="RunFile"/> reads.</summary>
internal static partial class RunFileText
{
    private const int WidestValue = 40;

    private static readonly JsonSerializerOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // What no reader of YAML takes for anything but a text, nor for the end of one.
    [GeneratedRegex("^[A-Za-z0-9/.](?:[A-Za-z0-9/._+=%@~-]|:(?=[A-Za-z0-9/])| (?=[A-Za-z0-9]))*$")]
    private static partial Regex Plain();

    [GeneratedRegex(@"\p{Cc}")]
    private static partial Regex Control();

    /// <summary>A line a setting, and behind it who said so.</summary>
    public static IEnumerable<string> Lines(IReadOnlyList<RunSetting> settings)
    {
        var lines = settings.Select(s => (Text: $"{s.Name}: {Value(s.Values)}", s.SaidBy)).ToList();
        int width = lines.Select(l => l.Text.Length).Where(l => l <= WidestValue).DefaultIfEmpty(0).Max();
        return lines.Select(l => $"{l.Text.PadRight(width)}  # {l.SaidBy}");
    }

    /// <summary>A block, its contents below its name.</summary>
    public static string Block(string name, JsonObject content)
    {
        var text = new StringBuilder().Append(name).Append(":\n");
        Append(text, content, "  ");
        return text.ToString();
    }

    /// <summary>A text as a scalar.</summary>
    public static string Scalar(string text) =>
        Plain().IsMatch(text) && text is not "null" ? text
        : Control().IsMatch(text) ? JsonSerializer.Serialize(text, s_json)
        : $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private static string Value(IReadOnlyList<string> values) =>
        values.Count == 1 ? Scalar(values[0]) : $"[{string.Join(", ", values.Select(Scalar))}]";

    private static void Append(StringBuilder text, JsonObject content, string indent)
    {
        foreach (var (name, value) in content)
        {
            switch (value)
            {
                case JsonObject inner:
                    text.Append(indent).Append(name).Append(":\n");
                    Append(text, inner, indent + "  ");
                    break;
                case JsonArray list:
                    text.Append(indent).Append(name).Append(": ").Append(list.ToJsonString(s_json)).Append('\n');
                    break;
                default:
                    text.Append(indent).Append(name).Append(": ").Append(Scalar($"{value}")).Append('\n');
                    break;
            }
        }
    }
}
