using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>The pre-tokenizer of a tokenizer's file, as its stages one after the other.</summary>
internal static class PreTokenizerReader
{
    /// <summary>Reads the stages.</summary>
    public static IReadOnlyList<PreTokenizer> Read(JsonElement element, string path)
    {
        var node = new JsonNodeReader(element, path);
        IReadOnlyList<PreTokenizer> made = node.Type switch
        {
            "Sequence" => SplitPatterns.Joined([.. node.Objects("pretokenizers").SelectMany(n => Read(n.Element, n.Path))]),
            "ByteLevel" => [ByteLevel(node)],
            "Split" => [Split(node)],
            "Metaspace" => [Metaspace(node)],
            "Digits" => [new SplitPreTokenizer(
                new EachPattern(LibraryUnicode.IsNumber),
                node.Flag("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous)],
            "Punctuation" => [new SplitPreTokenizer(
                new EachPattern(LibraryUnicode.IsPunctuation),
                Behavior(node, node.OptionalText("behavior") ?? nameof(SplitBehavior.Isolated)))],
            "Whitespace" => [new SplitPreTokenizer(new InvertedPattern(new WordPattern()), SplitBehavior.Removed)],
            "WhitespaceSplit" => [new SplitPreTokenizer(new EachPattern(CodePoints.IsWhiteSpace), SplitBehavior.Removed)],
            "CharDelimiterSplit" => [new SplitPreTokenizer(new TextPattern(OneCharacter(node, "delimiter")), SplitBehavior.Removed)],
            "FixedLength" => [new FixedLengthPreTokenizer(node.Number("length") switch
            {
                null => 5,
                0 => throw new UserErrorException($"{node.At("length")} is 0, and pieces have at least one character"),
                { } length => length,
            })],
            _ => throw node.Unknown(
                "Sequence, ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit "
                    + "and FixedLength"),
        };
        node.Finish("trim_offsets", "str_rep");
        return made;
    }

    /// <summary>The scheme of a Metaspace, in its newer or its older spelling.</summary>
    public static PrependScheme Scheme(JsonNodeReader node)
    {
        bool? older = node.Value("add_prefix_space") is null ? null : node.Flag("add_prefix_space");
        var scheme = node.OptionalText("prepend_scheme") switch
        {
            null or "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            var other => throw new UserErrorException($"{node.At("prepend_scheme")} is '{other}', and always, first or never was expected"),
        };
        return older == false && scheme != PrependScheme.Never
            ? throw new UserErrorException(
                $"{node.Path} says both add_prefix_space false and prepend_scheme {scheme.ToString().ToLowerInvariant()}"
                + (node.Value("prepend_scheme") is null ? ", which holds where none is given" : ""))
            : scheme;
    }

    /// <summary>A text of one character.</summary>
    public static string OneCharacter(JsonNodeReader node, string key)
    {
        string text = node.Text(key);
        return CodePoints.CountOf(text) == 1 ? text
            : throw new UserErrorException($"{node.At(key)} is '{text}', and one character was expected");
    }

    private static ByteLevelPreTokenizer ByteLevel(JsonNodeReader node) => new(node.Flag("add_prefix_space"), node.Flag("use_regex", true));

    private static MetaspacePreTokenizer Metaspace(JsonNodeReader node) =>
        new(OneCharacter(node, "replacement"), Scheme(node), node.Flag("split", true));

    private static SplitPreTokenizer Split(JsonNodeReader node)
    {
        var (pattern, _) = NormalizerReader.Pattern(node, SplitPatterns.Of);
        return new(node.Flag("invert") ? new InvertedPattern(pattern) : pattern, Behavior(node, node.Text("behavior")));
    }

    private static SplitBehavior Behavior(JsonNodeReader node, string text) =>
        Enum.GetNames<SplitBehavior>().Contains(text) ? Enum.Parse<SplitBehavior>(text)
        : throw new UserErrorException(
            $"{node.At("behavior")} is '{text}', and one of {string.Join(", ", Enum.GetNames<SplitBehavior>())} was expected");
}
