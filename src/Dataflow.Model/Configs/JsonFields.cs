using System.Text.Encodings.Web;
using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// The members of one JSON object, read by key. A member that is missing or of the wrong type becomes an entry of
/// <see cref="Faults"/>, and reading goes on with a value that is not checked again (<see cref="ModelConfigLimits.Unknown"/>, NaN), so that
/// one message can report everything. JSON null counts as absent.
/// </summary>
internal sealed class JsonFields(JsonElement root)
{
    private IReadOnlyDictionary<string, string> names = new Dictionary<string, string>();

    private const int LongestQuote = 40;

    /// <summary>The members of an object without any.</summary>
    public static JsonFields Empty { get; } = new(JsonElement.Parse("{}"));

    /// <summary>One phrase per fault found so far.</summary>
    public List<string> Faults { get; private init; } = [];

    /// <summary>Keys of the object, in file order.</summary>
    public IEnumerable<string> Keys => root.EnumerateObject().Select(member => member.Name);

    /// <summary>What is read from the object in a text.</summary>
    /// <param name="json">The text of a file.</param>
    /// <param name="source">What messages call it.</param>
    /// <param name="what">What it should be: "a model config".</param>
    /// <param name="read">Reads the object's members.</param>
    /// <exception cref="UserErrorException">The text is not JSON, or no object.</exception>
    public static T Parse<T>(string json, string source, string what, Func<JsonFields, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? read(new JsonFields(document.RootElement))
                : throw new UserErrorException($"{source} is not {what}: a JSON object was expected, found {Quote(document.RootElement)}");
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{source} is not valid JSON: {e.Message}");
        }
        catch (InvalidOperationException)
        {
            // Thrown for escapes that are no characters, such as half of a surrogate pair.
            throw new UserErrorException($"{source} is not valid JSON: a string in it has an escape that is no character");
        }
    }

    /// <summary>The same members, some of which may stand under other names: a member's own name wins where both are there.</summary>
    public JsonFields Renamed(IReadOnlyDictionary<string, string> others) => new(root) { Faults = Faults, names = others };

    /// <summary>The member, unless absent or null.</summary>
    public JsonElement? Find(string key) =>
        root.TryGetProperty(Name(key), out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>The object as it stands in the file.</summary>
    public string Text() => root.GetRawText();

    /// <summary>Whether the member is there and null.</summary>
    public bool IsNull(string key) => root.TryGetProperty(Name(key), out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>Whether the member is there and not null.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>The members of a nested object; null if absent.</summary>
    public JsonFields? Nested(string key)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Object)
        {
            return new JsonFields(value);
        }

        Wrong(key, "an object", value);
        return null;
    }

    /// <summary>A whole number; <paramref name="absent"/> if it is not there, a fault if that is null.</summary>
    public int Int(string key, int? absent = null)
    {
        if (Find(key) is not { } value)
        {
            return absent ?? Missing(key, ModelConfigLimits.Unknown);
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number != ModelConfigLimits.Unknown)
        {
            return number;
        }

        return Wrong(key, "a whole number below 2^31", value, ModelConfigLimits.Unknown);
    }

    /// <summary>A number; as <see cref="Int"/>.</summary>
    public double Double(string key, double? absent = null)
    {
        if (Find(key) is not { } value)
        {
            return absent ?? Missing(key, double.NaN);
        }

        // Numbers beyond the range of doubles read as infinity, which the limits then refuse.
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number)
            ? number
            : Wrong(key, "a number", value, double.NaN);
    }

    /// <summary>True or false; <paramref name="absent"/> if it is not there.</summary>
    public bool Bool(string key, bool absent) => Find(key) switch
    {
        null => absent,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => Wrong(key, "true or false", value, absent),
    };

    /// <summary>A string; null if it is not there.</summary>
    public string? Text(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => Wrong(key, "a string", value, (string?)null),
    };

    /// <summary>The value as it stands in the file, shortened.</summary>
    public static string Quote(JsonElement value)
    {
        string raw = string.Join(' ', value.GetRawText().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return raw.Length <= LongestQuote ? raw : raw[..LongestQuote] + "...";
    }

    /// <summary>A member's name as it stands in a file, shortened: without control characters.</summary>
    public static string QuoteKey(string key)
    {
        string raw = JsonEncodedText.Encode(key, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString();
        return raw.Length <= LongestQuote ? raw : raw[..LongestQuote] + "...";
    }

    private T Missing<T>(string key, T value)
    {
        Faults.Add($"{Name(key)} is missing");
        return value;
    }

    private T Wrong<T>(string key, string expected, JsonElement found, T value)
    {
        Wrong(key, expected, found);
        return value;
    }

    private void Wrong(string key, string expected, JsonElement found) =>
        Faults.Add($"{Name(key)} must be {expected}, found {Quote(found)}");

    private string Name(string key) => root.TryGetProperty(key, out _) ? key : names.GetValueOrDefault(key, key);
}
