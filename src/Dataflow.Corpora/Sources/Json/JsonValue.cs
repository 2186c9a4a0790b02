using System.Text;
using System.Text.Json;

namespace Dataflow.Corpora;

/// <summary>A value within the bytes of a record.</summary>
/// <param name="Kind">What it begins with; None if the record has no such member.</param>
/// <param name="Start">Where it begins.</param>
/// <param name="End">Where it ends.</param>
internal readonly record struct JsonValue(JsonTokenType Kind, int Start, int End)
{
    /// <summary>Whether the member is there, be it null.</summary>
    public bool Exists => Kind != JsonTokenType.None;

    /// <summary>Whether it is there and not null.</summary>
    public bool IsGiven => Kind is not (JsonTokenType.None or JsonTokenType.Null);

    /// <summary>Whether it is text.</summary>
    public bool IsString => Kind == JsonTokenType.String;

    /// <summary>Whether it is a list.</summary>
    public bool IsList => Kind == JsonTokenType.StartArray;

    /// <summary>What it is, in words.</summary>
    public string Words => Kind switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "text",
        JsonTokenType.Number => "a number",
        JsonTokenType.Null => "null",
        JsonTokenType.None => "missing",
        _ => "true or false",
    };

    /// <summary>Its bytes as they are written.</summary>
    public ReadOnlySpan<byte> In(ReadOnlySpan<byte> record) => record[Start..End];

    /// <summary>The text that it is.</summary>
    public string Text(ReadOnlySpan<byte> record)
    {
        ReadOnlySpan<byte> inner = record[(Start + 1)..(End - 1)];
        if (!inner.Contains((byte)'\\')) return Encoding.UTF8.GetString(inner);
        var reader = new Utf8JsonReader(In(record));
        reader.Read();
        return reader.GetString()!;
    }
}
