using System.Runtime.InteropServices;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// How often each word stands in texts. Texts are counted line by line, each with its line feed, as the Rust library reads files.
/// </summary>
internal sealed class WordCounts
{
    private readonly Dictionary<string, long> words = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> bySpan;
    private readonly IReadOnlyList<PreTokenizer> stages;
    private readonly WordSplitter? splitter;

    /// <summary>Words as stages cut and spell them.</summary>
    public WordCounts(IReadOnlyList<PreTokenizer> stages)
    {
        this.stages = stages;
        bySpan = words.GetAlternateLookup<ReadOnlySpan<char>>();
        splitter = stages switch
        {
            [{ SpellsBytes: true } only] => only.Splitter,
            [var first, { IsWhole: true, SpellsBytes: true }] => first.Splitter,
            _ => null,
        };
    }

    /// <summary>The words, spelled as the stages leave them.</summary>
    public IReadOnlyDictionary<string, long> Words => splitter is null ? words : words.ToDictionary(w => Spelled(w.Key), w => w.Value);

    /// <summary>Counts a text.</summary>
    public void Add(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int end = text.IndexOf('\n', at) is var feed and >= 0 ? feed + 1 : text.Length;
            AddLine(text.AsSpan(at, end - at));
            at = end;
        }
    }

    private static string Spelled(string word)
    {
        char[] spelled = new char[word.Length * 3];
        return new(spelled, 0, ByteAlphabet.Spell(word, spelled));
    }

    private void AddLine(ReadOnlySpan<char> line)
    {
        if (splitter is null)
        {
            foreach (string piece in TokenizerPipeline.Pieces(line.ToString(), stages))
            {
                CollectionsMarshal.GetValueRefOrAddDefault(words, piece, out _)++;
            }

            return;
        }

        for (int at = 0; at < line.Length;)
        {
            int end = splitter.End(line, at);
            CollectionsMarshal.GetValueRefOrAddDefault(bySpan, line[at..end], out _)++;
            at = end;
        }
    }
}
