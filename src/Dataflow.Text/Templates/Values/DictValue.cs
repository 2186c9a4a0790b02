namespace Dataflow.Text.Templates.Values;

/// <summary>A mapping in the order in which keys came; keys are equal as Python's are (1, 1.0 and True are one).</summary>
internal sealed class DictValue
{
    private readonly Dictionary<Key, int> index = [];
    private readonly List<KeyValuePair<object?, object?>> pairs = [];

    public int Count => pairs.Count;

    public IReadOnlyList<KeyValuePair<object?, object?>> Pairs => pairs;

    public IEnumerable<object?> Keys => pairs.Select(p => p.Key);

    public object? this[object? key]
    {
        set
        {
            Key k = new(key, Equality.Hash(key));
            if (index.TryGetValue(k, out int at)) pairs[at] = new(pairs[at].Key, value);
            else
            {
                index[k] = pairs.Count;
                pairs.Add(new(key, value));
            }
        }
    }

    public bool TryGetValue(object? key, out object? value)
    {
        if (index.TryGetValue(new Key(key, Equality.Hash(key)), out int at))
        {
            value = pairs[at].Value;
            return true;
        }
        value = null;
        return false;
    }

    public bool ContainsKey(object? key) => index.ContainsKey(new Key(key, Equality.Hash(key)));

    public DictValue Copy()
    {
        DictValue copy = new();
        foreach ((object? key, object? value) in pairs) copy[key] = value;
        return copy;
    }

    private readonly record struct Key(object? Value, int Hash)
    {
        public bool Equals(Key other) => Hash == other.Hash && Equality.Same(Value, other.Value);

        public override int GetHashCode() => Hash;
    }
}
