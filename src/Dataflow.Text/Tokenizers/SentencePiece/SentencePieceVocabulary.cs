namespace Dataflow.Text.Tokenizers;

/// <summary>The pieces of a SentencePiece model, by text and by id.</summary>
internal sealed class SentencePieceVocabulary
{
    private readonly SentencePieceFile file;
    private readonly Dictionary<string, int> reserved = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> texts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> reservedBySpan;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> textsBySpan;

    /// <summary>Of a file.</summary>
    public SentencePieceVocabulary(SentencePieceFile file)
    {
        this.file = file;
        for (int i = 0; i < file.Pieces.Count; i++)
        {
            var (text, score, kind) = file.Pieces[i];
            bool isText = kind is PieceKind.Normal or PieceKind.UserDefined or PieceKind.Unused;
            (isText ? texts : reserved).Add(text, i);
            if (kind == PieceKind.Normal)
            {
                (LeastScore, GreatestScore) = (Math.Min(LeastScore, score), Math.Max(GreatestScore, score));
            }
        }

        reservedBySpan = reserved.GetAlternateLookup<ReadOnlySpan<char>>();
        textsBySpan = texts.GetAlternateLookup<ReadOnlySpan<char>>();
        Texts = new(texts);
        UserDefined = new(texts.Where(t => file.Pieces[t.Value].Kind == PieceKind.UserDefined));
        Bytes = [.. Enumerable.Range(0, 256).Select(b => IdOf($"<0x{b:X2}>"))];
    }

    /// <summary>The pieces that texts are made of.</summary>
    public TokenTrie Texts { get; }

    /// <summary>The user-defined ones.</summary>
    public TokenTrie UserDefined { get; }

    /// <summary>The ids of bytes.</summary>
    public int[] Bytes { get; }

    /// <summary>The least score of a normal piece.</summary>
    public float LeastScore { get; } = float.MaxValue;

    /// <summary>The greatest one, or next to nothing where all are below.</summary>
    public float GreatestScore { get; } = 1.17549435e-38f;

    /// <summary>The id of what is not known.</summary>
    public int Unknown => file.Unknown;

    /// <summary>The score of a piece.</summary>
    public float Score(int id) => file.Pieces[id].Score;

    /// <summary>What a piece is.</summary>
    public PieceKind Kind(int id) => file.Pieces[id].Kind;

    /// <summary>The id of a piece that texts are made of; -1 for none.</summary>
    public int TextPiece(ReadOnlySpan<char> text) => textsBySpan.TryGetValue(text, out int id) ? id : -1;

    /// <summary>The id of a piece; that of what is not known for none.</summary>
    public int IdOf(ReadOnlySpan<char> text) =>
        reservedBySpan.TryGetValue(text, out int id) || textsBySpan.TryGetValue(text, out id) ? id : Unknown;

    /// <summary>How long the user-defined piece is that a text begins with; 0 for none.</summary>
    public int UserDefinedAt(ReadOnlySpan<char> text)
    {
        int longest = 0;
        int node = TokenTrie.Root;
        for (int end = 0; end < text.Length;)
        {
            node = UserDefined.Next(node, text[end++]);
            if (node < 0)
            {
                break;
            }

            longest = UserDefined.Token(node) >= 0 ? end : longest;
        }

        return longest;
    }
}
