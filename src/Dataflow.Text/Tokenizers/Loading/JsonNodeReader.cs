using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// An object of a tokenizer's file and where it stands. Every key is asked for by name or refused, so that nothing in the file is passed
/// over in silence.
/// </summary>
internal sealed class JsonNodeReader
{
    private readonly JsonElement element;
    private readonly HashSet<string> asked = new(StringComparer.Ordinal);

    /// <summary>An object.</summary>
    public JsonNodeReader(JsonElement element, string path)
    {
        Path = path;
        this.element = element.ValueKind == JsonValueKind.Object ? element
            : throw new UserErrorException($"{path} is {Kind(element)}, and an object was expected");
    }

    /// <summary>Where it stands.</summary>
    public string Path { get; }

    /// <summary>The object itself.</summary>
    public JsonElement Element => element;

    /// <summary>The value of type, which says what the object is; null where it has none.</summary>
    public string? Type => Value("type") is { } value ? Text(value, At("type")) : null;

    /// <summary>Where a value of it stands.</summary>
    public string At(string key) => Path.Length == 0 ? key : $"{Path}.{key}";

    /// <summary>A value; null where the key is missing or its value is null.</summary>
    public JsonElement? Value(string key)
    {
        asked.Add(key);
        return element.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <summary>A value that must be there.</summary>
    public JsonElement Required(string key) => Value(key) ?? throw new UserErrorException($"{At(key)} is missing");

    /// <summary>A text.</summary>
    public string Text(string key) => Text(Required(key), At(key));

    /// <summary>A text, or null.</summary>
    public string? OptionalText(string key) => Value(key) is { } value ? Text(value, At(key)) : null;

    /// <summary>True or false, with what holds where the key is missing.</summary>
    public bool Flag(string key, bool otherwise) => Value(key) is not { } value ? otherwise
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw new UserErrorException($"{At(key)} is {Kind(value)}, and true or false was expected");

    /// <summary>True or false, which must be there.</summary>
    public bool Flag(string key)
    {
        Required(key);
        return Flag(key, false);
    }

    /// <summary>A number that is not below zero; null where the key is missing.</summary>
    public int? Number(string key) => Value(key) is { } value ? Number(value, At(key)) : null;

    /// <summary>The elements of a list.</summary>
    public IEnumerable<JsonElement> Elements(string key) => List(Required(key), At(key));

    /// <summary>The objects of a list.</summary>
    public IEnumerable<JsonNodeReader> Objects(string key) =>
        Elements(key).Select((e, i) => new JsonNodeReader(e, $"{At(key)}[{i}]"));

    /// <summary>Refuses keys that nobody asked for.</summary>
    public void Finish(params string[] harmless)
    {
        foreach (var property in element.EnumerateObject())
        {
            if (!asked.Contains(property.Name) && !harmless.Contains(property.Name))
            {
                throw new UserErrorException($"{At(property.Name)} is a key that is not supported here");
            }
        }
    }

    /// <summary>Refuses a type.</summary>
    public UserErrorException Unknown(string supported) => new(
        Type is { } type ? $"{At("type")} {type} is not supported; {supported} are" : $"{At("type")} is missing");

    /// <summary>The elements of a list.</summary>
    public static IEnumerable<JsonElement> List(JsonElement value, string path) => value.ValueKind == JsonValueKind.Array
        ? value.EnumerateArray()
        : throw new UserErrorException($"{path} is {Kind(value)}, and a list was expected");

    /// <summary>A text. Half a surrogate pair, which JSON can spell, is none.</summary>
    public static string Text(JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            throw new UserErrorException($"{path} is {Kind(value)}, and a text was expected");
        }

        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new UserErrorException($"{path} is no valid Unicode: it spells half of a surrogate pair");
        }
    }

    /// <summary>A number that is not below zero.</summary>
    public static int Number(JsonElement value, string path) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
        && number >= 0 ? number : throw new UserErrorException($"{path} is {Kind(value)}, and a whole number from 0 was expected");

    /// <summary>What a value is, in words.</summary>
    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => $"the number {value.GetRawText()}",
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => "null",
    };
}
