namespace Dataflow.Text.Tokenizers;

/// <summary>Tokens by their characters: what begins at a place of a text is found in one walk.</summary>
internal sealed class TokenTrie
{
    /// <summary>Where walks begin.</summary>
    public const int Root = 0;

    private readonly Dictionary<long, int> edges = [];
    private readonly List<int> tokens = [-1];

    /// <summary>Of tokens and what is to be told where one ends.</summary>
    public TokenTrie(IEnumerable<KeyValuePair<string, int>> pairs)
    {
        foreach (var (token, id) in pairs)
        {
            int node = Root;
            foreach (char unit in token)
            {
                long edge = Edge(node, unit);
                if (!edges.TryGetValue(edge, out int next))
                {
                    next = tokens.Count;
                    edges.Add(edge, next);
                    tokens.Add(-1);
                }

                node = next;
            }

            tokens[node] = id;
        }
    }

    /// <summary>The node that a character leads to; -1 for none.</summary>
    public int Next(int node, char unit) => edges.TryGetValue(Edge(node, unit), out int next) ? next : -1;

    /// <summary>What ends at a node; -1 for nothing.</summary>
    public int Token(int node) => tokens[node];

    private static long Edge(int node, char unit) => (long)node << 16 | unit;
}
