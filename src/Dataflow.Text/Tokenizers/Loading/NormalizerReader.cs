using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>The normalizer of a tokenizer's file.</summary>
internal static class NormalizerReader
{
    /// <summary>Reads one.</summary>
    public static TextNormalizer Read(JsonElement element, string path)
    {
        var node = new JsonNodeReader(element, path);
        TextNormalizer made = node.Type switch
        {
            "Sequence" => new NormalizerSequence([.. node.Objects("normalizers").Select(n => Read(n.Element, n.Path))]),
            "NFC" => new FormNormalizer(NormalizationForm.C),
            "NFD" => new FormNormalizer(NormalizationForm.D),
            "NFKC" => new FormNormalizer(NormalizationForm.CompatibleC),
            "NFKD" => new FormNormalizer(NormalizationForm.CompatibleD),
            "Replace" => Replace(node),
            "Prepend" => new PrependNormalizer(node.Text("prepend")),
            "Strip" => new StripNormalizer(node.Flag("strip_left"), node.Flag("strip_right")),
            "StripAccents" => MapNormalizer.StripAccents,
            "Lowercase" => MapNormalizer.Lowercase,
            "Nmt" => MapNormalizer.Nmt,
            "ByteLevel" => MapNormalizer.Bytes,
            "Precompiled" => Precompiled(node),
            _ => throw node.Unknown(
                "Sequence, NFC, NFD, NFKC, NFKD, Replace, Prepend, Strip, StripAccents, Lowercase, Nmt, ByteLevel and Precompiled"),
        };
        node.Finish();
        return made;
    }

    /// <summary>A pattern as the file spells it, and the text that it finds where that is one text.</summary>
    public static (IPattern Pattern, string? FixedText) Pattern(JsonNodeReader node, Func<string, IPattern> regex)
    {
        var pattern = new JsonNodeReader(node.Required("pattern"), node.At("pattern"));
        string? text = pattern.OptionalText("String");
        string? notation = pattern.OptionalText("Regex");
        pattern.Finish();
        try
        {
            return (text, notation) switch
            {
                ({ } t, null) => (new TextPattern(t), t),
                (null, { } r) => (regex(r), null),
                _ => throw new UserErrorException("it has neither String nor Regex, or both"),
            };
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException($"{pattern.Path}: {e.Message}");
        }
    }

    /// <summary>
    /// What stands there instead. Groups of a pattern by their numbers are text to some versions of the library and groups to others.
    /// </summary>
    public static string Content(JsonNodeReader node, bool ofRegex)
    {
        string content = node.Text("content");
        return ofRegex && content.Contains('$', StringComparison.Ordinal)
            ? throw new UserErrorException($"{node.At("content")} is '{content}', whose $ may name a group of the pattern: not supported")
            : content;
    }

    private static ReplaceNormalizer Replace(JsonNodeReader node)
    {
        var (pattern, text) = Pattern(node, r => new RegexPattern(r));
        return new(pattern, text, Content(node, text is null));
    }

    private static PrecompiledNormalizer Precompiled(JsonNodeReader node)
    {
        byte[] map;
        try
        {
            map = Convert.FromBase64String(node.Text("precompiled_charsmap"));
        }
        catch (FormatException)
        {
            throw new UserErrorException($"{node.At("precompiled_charsmap")} is no base64");
        }

        return new(CharacterMap.Read(map, node.At("precompiled_charsmap")));
    }
}
