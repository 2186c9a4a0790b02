using Dataflow.Model;

namespace Dataflow.Formats;

/// <summary>The keys and values of a GGUF file, asked for by what they should be.</summary>
public sealed class GgufMetadata
{
    private readonly string path;
    private readonly Dictionary<string, GgufValue> byKey;

    internal GgufMetadata(string path, IReadOnlyList<KeyValuePair<string, GgufValue>> values)
    {
        this.path = path;
        Values = values;
        byKey = values.ToDictionary(v => v.Key, v => v.Value, StringComparer.Ordinal);
    }

    /// <summary>In the order of the file.</summary>
    public IReadOnlyList<KeyValuePair<string, GgufValue>> Values { get; }

    /// <summary>Whether there is such a key.</summary>
    public bool Has(string key) => byKey.ContainsKey(key);

    /// <summary>The value of a key; null if there is none.</summary>
    public GgufValue? Find(string key) => byKey.GetValueOrDefault(key);

    /// <summary>A whole number of at most 31 bits and no sign, of any width; null if there is none.</summary>
    /// <exception cref="UserErrorException">It is something else.</exception>
    public long? Whole(string key) => Find(key) switch
    {
        null => null,
        GgufValue.Whole { Number: var n } when n >= 0 && n <= int.MaxValue => (long)n,
        GgufValue.Whole { Number: var n } => throw Wrong(key, $"is {n}, and 0 to {int.MaxValue} is possible"),
        _ => throw Wrong(key, "is no whole number"),
    };

    /// <summary>A finite number, of any width; null if there is none.</summary>
    /// <exception cref="UserErrorException">It is something else.</exception>
    public double? Number(string key) => Find(key) switch
    {
        null => null,
        GgufValue.Real { Number: var n } when double.IsFinite(n) => n,
        GgufValue.Whole { Number: var n } => (double)n,
        _ => throw Wrong(key, "is no finite number"),
    };

    /// <summary>A text; null if there is none.</summary>
    /// <exception cref="UserErrorException">It is something else.</exception>
    public string? Text(string key) => Find(key) switch
    {
        null => null,
        GgufValue.Text { Value: var text } => text,
        _ => throw Wrong(key, "is no text"),
    };

    /// <summary>A truth value; null if there is none.</summary>
    /// <exception cref="UserErrorException">It is something else.</exception>
    public bool? Flag(string key) => Find(key) switch
    {
        null => null,
        GgufValue.Flag { Value: var value } => value,
        _ => throw Wrong(key, "is no truth value"),
    };

    /// <summary>Texts; null if there are none.</summary>
    /// <exception cref="UserErrorException">It is something else.</exception>
    public IReadOnlyList<string>? Texts(string key) => Items<string>(key, "texts");

    /// <summary>Numbers in fp32; null if there are none.</summary>
    /// <exception cref="UserErrorException">It is something else.</exception>
    public IReadOnlyList<float>? Reals(string key) => Items<float>(key, "fp32 numbers");

    /// <summary>Whole numbers of 32 bits; null if there are none.</summary>
    /// <exception cref="UserErrorException">It is something else.</exception>
    public IReadOnlyList<int>? Wholes(string key) => Items<int>(key, "32-bit numbers");

    /// <summary>A sentence about a value that is not as it should be.</summary>
    internal UserErrorException Wrong(string key, string why) => new($"{path}: {key} {why}");

    // Arrays of int and of uint pass for each other in a pattern, and are asked for exactly.
    private T[]? Items<T>(string key, string what) => Find(key) switch
    {
        null => null,
        GgufValue.List { Items: var items } when items.GetType() == typeof(T[]) => (T[])(object)items,
        _ => throw Wrong(key, $"is no array of {what}"),
    };
}
