using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// The members of one object of a hardware profile. What is missing or wrong becomes a fault that names its path
/// ("host_to_device.latency_s.source is missing"), and reading goes on with a figure that no fault is found in again.
/// </summary>
internal sealed class FigureFields
{
    private const double Smallest = 1e-12;
    private const double Largest = 1e18;
    private const double LongestStart = 10;

    private readonly JsonFields fields;
    private readonly string path;

    /// <summary>The members of a whole profile.</summary>
    public FigureFields(JsonFields root)
        : this(root, "", [])
    {
    }

    private FigureFields(JsonFields fields, string path, List<string> faults) => (this.fields, this.path, Faults) = (fields, path, faults);

    /// <summary>One phrase per fault found so far, in this object and those inside it.</summary>
    public List<string> Faults { get; }

    /// <summary>Keys of the object, in file order.</summary>
    public IEnumerable<string> Keys => fields.Keys;

    /// <summary>Whether the member is there and not null.</summary>
    public bool Has(string key) => fields.Has(key);

    /// <summary>Makes every other key a fault: a misspelt one would otherwise pass unnoticed where null means something.</summary>
    public void RefuseOthers(params string[] keys) =>
        Faults.AddRange(
            fields.Keys.Except(keys).Select(key => $"{path}{key} is not a key of this format (here: {string.Join(", ", keys)})")
        );

    /// <summary>The members of a nested object that must be there; those of an empty one otherwise.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="keys">The keys that it may have; none given: any.</param>
    public FigureFields Inner(string key, params string[] keys)
    {
        if (fields.Find(key) is { ValueKind: JsonValueKind.Object } value)
        {
            var inner = new FigureFields(new JsonFields(value), $"{path}{key}.", Faults);
            if (keys.Length > 0)
            {
                inner.RefuseOthers(keys);
            }

            return inner;
        }

        Faults.Add(
            fields.Find(key) is { } other ? $"{path}{key} must be an object, found {JsonFields.Quote(other)}" : $"{path}{key} is missing"
        );
        return new FigureFields(JsonFields.Empty, "", []); // its faults go nowhere: one is enough
    }

    /// <summary>A text that is not empty; "" after a fault.</summary>
    public string Text(string key)
    {
        if (fields.Find(key) is { ValueKind: JsonValueKind.String } value && !string.IsNullOrWhiteSpace(value.GetString()))
        {
            return value.GetString()!;
        }

        return Wrong(key, "a text that says something", "");
    }

    /// <summary>A list of texts; an empty one if it is not there.</summary>
    public ImmutableArray<string> Texts(string key)
    {
        if (fields.Find(key) is not { } list)
        {
            return [];
        }

        return
            list.ValueKind == JsonValueKind.Array
            && list.EnumerateArray().All(e => e.ValueKind == JsonValueKind.String && e.GetString()!.Length > 0)
            ? [.. list.EnumerateArray().Select(e => e.GetString()!)]
            : Wrong(key, "a list of texts", ImmutableArray<string>.Empty);
    }

    /// <summary>A table of positive numbers, <paramref name="columns"/> in a row; no rows after a fault.</summary>
    public ImmutableArray<double[]> Table(string key, int columns)
    {
        string expected = string.Create(CultureInfo.InvariantCulture, $"a list of rows of {columns} numbers above 0");
        static bool IsNumber(JsonElement e) =>
            e.ValueKind == JsonValueKind.Number && e.TryGetDouble(out double value) && value is >= Smallest and <= Largest;
        return
            fields.Find(key) is { ValueKind: JsonValueKind.Array } list
            && list.GetArrayLength() > 0
            && list.EnumerateArray()
                .All(row => row.ValueKind == JsonValueKind.Array && row.GetArrayLength() == columns && row.EnumerateArray().All(IsNumber))
            ? [.. list.EnumerateArray().Select(row => row.EnumerateArray().Select(e => e.GetDouble()).ToArray())]
            : Wrong(key, expected, ImmutableArray<double[]>.Empty);
    }

    /// <summary>One of some words; the first one's value after a fault.</summary>
    public T OneOf<T>(string key, params (string Word, T Value)[] choices)
    {
        foreach (var (word, value) in choices)
        {
            if (fields.Find(key) is { ValueKind: JsonValueKind.String } found && found.GetString() == word)
            {
                return value;
            }
        }

        return Wrong(key, string.Join(" or ", choices.Select(c => $"\"{c.Word}\"")), choices[0].Value);
    }

    /// <summary>A rate or a factor.</summary>
    public Figure Positive(string key) => Read(key, "a number above 0 and at most 1e18", value => value is >= Smallest and <= Largest);

    /// <summary>What a machine takes before it begins: a launch, a latency.</summary>
    public Figure Seconds(string key, bool fromZero = false) => fromZero
        ? Read(key, "a number of at least 0 and at most 10", value => value is >= 0 and <= LongestStart)
        : Read(key, "a number above 0 and at most 10", value => value is >= Smallest and <= LongestStart);

    /// <summary>A count or a size.</summary>
    public Figure Whole(string key, double least, double most) => Read(
        key,
        string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}"),
        value => value >= least && value <= most && value == Math.Floor(value));

    /// <summary>A member that machines of this kind do not have.</summary>
    public Figure? NoFigure(string key)
    {
        None<double>(key);
        return null;
    }

    /// <summary>As <see cref="NoFigure"/>, for other values.</summary>
    public T? None<T>(string key)
        where T : struct
    {
        if (fields.Has(key))
        {
            Faults.Add($"{path}{key} has no meaning for this kind of hardware: leave it out");
        }

        return null;
    }

    private Figure Read(string key, string expected, Func<double, bool> valid)
    {
        var figure = Inner(key, "value", "kind", "source");
        double number = double.NaN;
        if (
            figure.fields.Find("value") is { ValueKind: JsonValueKind.Number } value
            && value.TryGetDouble(out double read)
            && double.IsFinite(read)
            && valid(read)
        )
        {
            number = read;
        }
        else
        {
            figure.Wrong("value", expected, number);
        }

        return new Figure(
            number,
            figure.OneOf(
                "kind",
                ("datasheet", FigureKind.Datasheet),
                ("measured", FigureKind.Measured),
                ("published", FigureKind.Published),
                ("fitted", FigureKind.Fitted),
                ("borrowed", FigureKind.Borrowed),
                ("estimate", FigureKind.Estimate)
            ),
            figure.Text("source")
        );
    }

    private T Wrong<T>(string key, string expected, T value)
    {
        Faults.Add(
            fields.Find(key) is { } found ? $"{path}{key} must be {expected}, found {JsonFields.Quote(found)}" : $"{path}{key} is missing"
        );
        return value;
    }
}
