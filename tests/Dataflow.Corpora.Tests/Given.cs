using Dataflow.Text.Tokenizers;

namespace Dataflow.Corpora.Tests;

/// <summary>What the tests are made of: a small tokenizer, passages, documents in memory.</summary>
internal static class Given
{
    public const string End = "<|end|>";

    private const string Learnt =
        "In the beginning was the word, and the word was long.\nThe quick brown fox jumps over the lazy dog again and again.\n"
            + "Numbers are 1, 22, 333 and 4444; names are Ada, Blaise and Carl.\n";

    public static string TokenizerJson { get; } = ByteLevelTraining.Train(
        [Learnt], new() { VocabularySize = 400, SpecialTokens = [End, "<|im_start|>", "<|im_end|>"], AllBytes = true }, null);

    public static TextTokenizer Tokenizer { get; } = TextTokenizer.FromJson(System.Text.Encoding.UTF8.GetBytes(TokenizerJson));

    public static EncodingRules Rules { get; } = new(Tokenizer, "hash") { End = Tokenizer.IdOf(End) };

    /// <summary>Texts, each a passage of one file.</summary>
    public static IEnumerable<Passage> Passages(IReadOnlyList<string> texts, SourcePosition from, DocumentKind kind = DocumentKind.Text) =>
        texts.Select((t, i) => Passage(t, i, kind)).Skip((int)from.Offset);

    public static Passage Passage(string text, int number = 0, DocumentKind kind = DocumentKind.Text) => new(kind, text)
    {
        Place = new PassagePlace("texts", "line", number + 1), Next = new SourcePosition(0, number + 1),
    };

    public static TokenizationSource Source(IReadOnlyList<string> texts, string identity = "texts") =>
        new(from => Passages(texts, from), ["texts"], identity, () => null);

    /// <summary>Texts of a seed: of a few words to many lines.</summary>
    public static string[] Texts(int count, int seed)
    {
        var random = new Random(seed);
        string[] words = Learnt.Split(' ', '\n');
        return [.. Enumerable.Range(0, count).Select(i => string.Join(
            ' ', Enumerable.Range(0, 1 + random.Next(60)).Select(_ => words[random.Next(words.Length)])) + i)];
    }
}

/// <summary>Documents whose ids say which document and which token they are.</summary>
internal sealed class NumberedDocuments(IReadOnlyList<int> lengths, int stride = NumberedDocuments.Stride) : ITokenizedDocuments
{
    public const int Stride = 1 << 15;

    public IReadOnlyList<int> Lengths => lengths;

    public string Name => "numbered";

    public string Finding => "numbers";

    public DocumentKind Kind => DocumentKind.Text;

    public int IdCount => int.MaxValue;

    public bool HasWeights => false;

    public string Fingerprint => "numbered";

    public static int Id(long document, long token) => (int)((document * Stride) + token);

    public long Await(long documents) => lengths.Count;

    public long LengthOf(long document) => lengths[(int)document];

    public void Read(long document, long first, Span<int> ids)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = (int)((document * stride) + first + i);
        }
    }

    public void ReadWeights(long document, long first, Span<byte> weights) => weights.Fill(1);

    public void Dispose()
    {
    }
}
