using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates;

/// <summary>JSON as the values of templates.</summary>
internal static class JsonValues
{
    public static object? Of(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Null or JsonValueKind.Undefined: return null;
            case JsonValueKind.True: return true;
            case JsonValueKind.False: return false;
            case JsonValueKind.String: return element.GetString();
            case JsonValueKind.Number: return Number(element.GetRawText());
            case JsonValueKind.Array:
                List<object?> items = new(element.GetArrayLength());
                foreach (JsonElement item in element.EnumerateArray()) items.Add(Of(item));
                return new ListValue(items);
            default:
                DictValue dict = new();
                foreach (JsonProperty property in element.EnumerateObject()) dict[property.Name] = Of(property.Value);
                return dict;
        }
    }

    private static object Number(string text) => text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0
        ? double.Parse(text, CultureInfo.InvariantCulture)
        : Numbers.Shrink(BigInteger.Parse(text, CultureInfo.InvariantCulture));
}
