using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The added tokens of a tokenizer, which get their ids as the library gives them: a token of the vocabulary keeps its own.
/// </summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);
    private readonly Dictionary<int, AddedToken> tokens = [];
    private readonly HashSet<string> special = new(StringComparer.Ordinal);
    private readonly AddedTokenFinder asWritten;
    private readonly AddedTokenFinder normalized;
    private readonly Dictionary<int, string> shown;
    private readonly TextNormalizer? normalizer;

    /// <summary>Of tokens in the order of their file.</summary>
    public AddedTokens(IReadOnlyList<AddedToken> added, Vocabulary vocabulary, TextNormalizer? normalizer)
    {
        this.normalizer = normalizer;
        var inOrder = new List<AddedToken>();
        var classic = new List<AddedToken>();
        int highest = -1;
        foreach (var token in added)
        {
            if (token.Content.Length == 0)
            {
                continue;
            }

            if (token.Special && special.Add(token.Content))
            {
                inOrder.Add(token);
            }

            if (tokens.ContainsValue(token))
            {
                continue;
            }

            int id = ids.TryGetValue(token.Content, out int known) ? known
                : vocabulary.IdOf(token.Content) is var own and >= 0 ? own
                : highest >= vocabulary.Count ? highest + 1
                : vocabulary.Count;
            ids[token.Content] = id;
            tokens[id] = token;
            highest = Math.Max(highest, id);
            if (!special.Contains(token.Content))
            {
                classic.Add(token);
            }
        }

        inOrder.AddRange(classic);
        shown = tokens.ToDictionary(t => t.Key, t => t.Value.Normalized ? Normalize(t.Value.Content) : t.Value.Content);
        asWritten = new(inOrder.Where(t => !t.Normalized).Select(t => (t.Content, ids[t.Content])), tokens);
        normalized = new(inOrder.Where(t => t.Normalized).Select(t => (Normalize(t.Content), ids[t.Content])), tokens);
    }

    /// <summary>All of them by their ids.</summary>
    public IReadOnlyDictionary<int, AddedToken> All => tokens;

    /// <summary>What finds those that stand in the text as it is written.</summary>
    public AddedTokenFinder AsWritten => asWritten;

    /// <summary>What finds those that stand in the normalized text.</summary>
    public AddedTokenFinder Normalized => normalized;

    /// <summary>The id of a token; -1 for none.</summary>
    public int IdOf(string token) => ids.GetValueOrDefault(token, -1);

    /// <summary>The token of an id; null for none.</summary>
    public string? TokenOf(int id) => tokens.GetValueOrDefault(id)?.Content;

    /// <summary>
    /// What decoding shows for an id: a token that is looked for in the normalized text shows in that form. Null for none.
    /// </summary>
    public string? ShownFor(int id) => shown.GetValueOrDefault(id);

    /// <summary>Whether decoding may skip a token.</summary>
    public bool IsSpecial(string token) => special.Contains(token);

    private string Normalize(string content)
    {
        string made = normalizer?.Apply(content) ?? content;
        return made.Length > 0 ? made
            : throw new UserErrorException($"added_tokens has '{content}', of which the normalizer leaves nothing: not supported");
    }
}
