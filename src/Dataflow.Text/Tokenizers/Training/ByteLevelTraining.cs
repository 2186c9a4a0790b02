using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>Learns a byte-level BPE tokenizer from texts, exactly as the Rust library's trainer does.</summary>
public static class ByteLevelTraining
{
    /// <summary>The tokenizer.json of what was learnt.</summary>
    /// <param name="texts">The texts; each is counted line by line, with its line feeds.</param>
    /// <param name="options">What is to be learnt.</param>
    /// <param name="pattern">What cuts texts into words, in the notation of Oniguruma; null for the pattern of GPT-2.</param>
    /// <exception cref="UserErrorException">The pattern cannot be read, or an option makes no sense.</exception>
    public static string Train(IEnumerable<string> texts, BpeTrainingOptions options, string? pattern)
    {
        var special = options.SpecialTokens ?? [];
        if (special.FirstOrDefault(t => t.Length == 0 || special.Count(o => o == t) > 1) is { } bad)
        {
            throw new UserErrorException(bad.Length == 0 ? "a special token is empty" : $"the special token '{bad}' is given twice");
        }

        IReadOnlyList<PreTokenizer> stages = pattern is null ? [new ByteLevelPreTokenizer(addsSpace: false, cuts: true)]
            : [new SplitPreTokenizer(SplitPatterns.Of(pattern), SplitBehavior.Isolated), new ByteLevelPreTokenizer(false, cuts: false)];
        var counts = new WordCounts(stages);
        foreach (string text in texts)
        {
            counts.Add(TextTokenizer.Checked(text));
        }

        var (tokens, merges) = BpeTrainer.Train(counts.Words, options);
        return Write(tokens, merges, special, pattern);
    }

    private static string Write(
        IReadOnlyList<string> tokens, IReadOnlyList<(string Left, string Right)> merges, IReadOnlyList<string> special, string? pattern)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("version", "1.0");
            Nulls(writer, "truncation", "padding");
            WriteAdded(writer, special);
            writer.WriteNull("normalizer");
            writer.WritePropertyName("pre_tokenizer");
            WritePreTokenizer(writer, pattern);
            writer.WriteNull("post_processor");
            writer.WritePropertyName("decoder");
            WriteByteLevel(writer, true, true);
            WriteModel(writer, tokens, merges);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length) + "\n";
    }

    private static void WriteAdded(Utf8JsonWriter writer, IReadOnlyList<string> special)
    {
        writer.WriteStartArray("added_tokens");
        for (int i = 0; i < special.Count; i++)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", i);
            writer.WriteString("content", special[i]);
            foreach (string flag in new[] { "single_word", "lstrip", "rstrip", "normalized" })
            {
                writer.WriteBoolean(flag, false);
            }

            writer.WriteBoolean("special", true);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WritePreTokenizer(Utf8JsonWriter writer, string? pattern)
    {
        if (pattern is null)
        {
            WriteByteLevel(writer, false, true);
            return;
        }

        writer.WriteStartObject();
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("pretokenizers");
        writer.WriteStartObject();
        writer.WriteString("type", "Split");
        writer.WriteStartObject("pattern");
        writer.WriteString("Regex", pattern);
        writer.WriteEndObject();
        writer.WriteString("behavior", nameof(SplitBehavior.Isolated));
        writer.WriteBoolean("invert", false);
        writer.WriteEndObject();
        WriteByteLevel(writer, false, false);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter writer, bool addsSpace, bool cuts)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", addsSpace);
        writer.WriteBoolean("trim_offsets", true);
        writer.WriteBoolean("use_regex", cuts);
        writer.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter writer, IReadOnlyList<string> tokens, IReadOnlyList<(string Left, string Right)> merges)
    {
        writer.WriteStartObject("model");
        writer.WriteString("type", "BPE");
        Nulls(writer, "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix");
        foreach (string flag in new[] { "fuse_unk", "byte_fallback", "ignore_merges" })
        {
            writer.WriteBoolean(flag, false);
        }

        writer.WriteStartObject("vocab");
        for (int i = 0; i < tokens.Count; i++)
        {
            writer.WriteNumber(tokens[i], i);
        }

        writer.WriteEndObject();
        writer.WriteStartArray("merges");
        foreach (var (left, right) in merges)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(left);
            writer.WriteStringValue(right);
            writer.WriteEndArray();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Nulls(Utf8JsonWriter writer, params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            writer.WriteNull(key);
        }
    }
}
