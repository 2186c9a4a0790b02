using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>Tokens and their ids, both ways.</summary>
internal sealed class Vocabulary
{
    private readonly Dictionary<string, int> ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> bySpan;
    private readonly Dictionary<int, string> tokens;

    /// <summary>Of pairs; where a token comes twice, the later id is its id.</summary>
    public Vocabulary(IEnumerable<KeyValuePair<string, int>> pairs)
    {
        ids = new(StringComparer.Ordinal);
        foreach (var (token, id) in pairs)
        {
            ids[token] = id;
        }

        bySpan = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        tokens = new(ids.Count);
        foreach (var (token, id) in ids)
        {
            if (!tokens.TryAdd(id, token))
            {
                throw new UserErrorException($"model.vocab has the id {id} twice, for '{tokens[id]}' and for '{token}'");
            }
        }
    }

    /// <summary>How many tokens there are.</summary>
    public int Count => ids.Count;

    /// <summary>The longest token, in UTF-16 units.</summary>
    public int LongestToken => ids.Count == 0 ? 0 : ids.Keys.Max(k => k.Length);

    /// <summary>All tokens.</summary>
    public IEnumerable<KeyValuePair<string, int>> All => ids;

    /// <summary>The id of a token; -1 for none.</summary>
    public int IdOf(ReadOnlySpan<char> token) => bySpan.TryGetValue(token, out int id) ? id : -1;

    /// <summary>The token of an id; null for none.</summary>
    public string? TokenOf(int id) => tokens.GetValueOrDefault(id);

    /// <summary>The ids of the 256 tokens that are spelled &lt;0x00&gt; to &lt;0xFF&gt;; -1 for one that is not there.</summary>
    public int[] ByteIds() => [.. Enumerable.Range(0, 256).Select(b => IdOf($"<0x{b:X2}>"))];
}
