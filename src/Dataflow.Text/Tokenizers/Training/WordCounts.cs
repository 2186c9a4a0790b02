using System.Runtime.InteropServices;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// How often each word stands in texts. Texts are counted line by line, each with its line feed, as the Rust library reads files.
/// </summary>
internal sealed class WordCounts(TextNormalizer? normalizer, IReadOnlyList<PreTokenizer> stages)
{
    private readonly Dictionary<string, long> words = new(StringComparer.Ordinal);

    /// <summary>The words, spelled as the stages leave them.</summary>
    public IReadOnlyDictionary<string, long> Words => words;

    /// <summary>Counts a text.</summary>
    public void Add(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int end = text.IndexOf('\n', at) is var feed and >= 0 ? feed + 1 : text.Length;
            foreach (string piece in TokenizerPipeline.Pieces(text[at..end], normalizer, stages))
            {
                CollectionsMarshal.GetValueRefOrAddDefault(words, piece, out _)++;
            }

            at = end;
        }
    }
}
