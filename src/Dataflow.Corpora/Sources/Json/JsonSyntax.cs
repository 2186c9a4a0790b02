using System.Globalization;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>Goes through JSON that anybody may have written, to its end, in time and memory that its length bounds.</summary>
internal static class JsonSyntax
{
    /// <summary>What is nested more deeply is refused.</summary>
    internal const int MostNested = 200;

    /// <summary>What of a conversation has more values and names is refused: whoever makes a tree of it needs memory for each.</summary>
    internal const int MostValues = 1 << 20;

    private const int EscapeLength = 6;

    /// <summary>A reader of a whole value.</summary>
    public static Utf8JsonReader Reader(ReadOnlySpan<byte> json) => new(json, new JsonReaderOptions { MaxDepth = MostNested });

    /// <summary>Goes to the next token; false at the end.</summary>
    public static bool Next(ref Utf8JsonReader reader, PassagePlace place)
    {
        try
        {
            if (!reader.Read()) return false;
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{place} is no JSON: {Reason(e)}");
        }

        if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped
            && !ArePaired(reader.ValueSpan)) throw new UserErrorException(
            $"{place} has half of a surrogate pair (\\uD800 to \\uDFFF), which is no character; leave it out or write the pair");
        return true;
    }

    /// <summary>Goes to the end of the value that the reader has come to.</summary>
    public static void Skip(ref Utf8JsonReader reader, PassagePlace place)
    {
        if (reader.TokenType is not (JsonTokenType.StartArray or JsonTokenType.StartObject)) return;
        int depth = reader.CurrentDepth;
        while (Next(ref reader, place) && reader.CurrentDepth > depth)
        {
        }
    }

    /// <summary>Refuses what is not one value of JSON, or one of too many, and says how many values a list holds itself.</summary>
    /// <param name="json">The value.</param>
    /// <param name="place">Where it stands.</param>
    /// <param name="kind">What it begins with.</param>
    public static int Check(ReadOnlySpan<byte> json, PassagePlace place, out JsonTokenType kind)
    {
        Utf8JsonReader reader = Reader(json);
        Next(ref reader, place);
        kind = reader.TokenType;
        int count = 0;
        for (int all = 1; Next(ref reader, place); all++)
        {
            if (all > MostValues)
                throw new UserErrorException($"{place} has a list or object of more than {MostValues} values; break it up");
            if (reader.CurrentDepth == 1 && reader.TokenType is not (JsonTokenType.EndArray or JsonTokenType.EndObject)) count++;
        }

        return count;
    }

    private static string Reason(JsonException e)
    {
        string message = e.Message;
        if (message.Contains("maximum configured depth", StringComparison.Ordinal)) return $"it is nested more than {MostNested} deep";
        if (message.Contains("Expected depth to be zero", StringComparison.Ordinal))
            return "it ends within a list or an object, which must be on one line";
        string reason = message.Split(" LineNumber:")[0].Split(". ")[0].TrimEnd('.');
        return string.Create(CultureInfo.InvariantCulture, $"{reason} (at byte {e.BytePositionInLine + 1}{Line(e.LineNumber)})");
    }

    private static string Line(long? line) => line is > 0 ? $" of its line {line + 1}" : "";

    /// <summary>Whether escapes of surrogates come as pairs.</summary>
    private static bool ArePaired(ReadOnlySpan<byte> text)
    {
        for (int at; (at = text.IndexOf((byte)'\\')) >= 0;)
        {
            text = text[at..];
            if (text[1] != (byte)'u')
            {
                text = text[2..];
                continue;
            }

            int unit = Unit(text);
            text = text[EscapeLength..];
            if (unit is < 0xD800 or > 0xDFFF) continue;
            if (unit >= 0xDC00 || text is not [(byte)'\\', (byte)'u', ..] || Unit(text) is < 0xDC00 or > 0xDFFF) return false;
            text = text[EscapeLength..];
        }

        return true;
    }

    private static int Unit(ReadOnlySpan<byte> escape) => int.Parse(escape[2..EscapeLength], NumberStyles.AllowHexSpecifier, null);
}
