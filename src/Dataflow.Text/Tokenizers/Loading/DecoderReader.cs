using System.Text.Json;

namespace Dataflow.Text.Tokenizers;

/// <summary>The decoder of a tokenizer's file.</summary>
internal static class DecoderReader
{
    /// <summary>Reads one.</summary>
    public static TokenDecoder Read(JsonElement element, string path)
    {
        var node = new JsonNodeReader(element, path);
        TokenDecoder made = node.Type switch
        {
            "Sequence" => new DecoderSequence([.. node.Objects("decoders").Select(n => Read(n.Element, n.Path))]),
            "ByteLevel" => new ByteLevelDecoder(),
            "ByteFallback" => new ByteFallbackDecoder(),
            "Fuse" => new FuseDecoder(),
            "Replace" => Replace(node),
            "Strip" => new StripDecoder(PreTokenizerReader.OneCharacter(node, "content"), Count(node, "start"), Count(node, "stop")),
            "Metaspace" => new MetaspaceDecoder(
                PreTokenizerReader.OneCharacter(node, "replacement"), PreTokenizerReader.Scheme(node) != PrependScheme.Never),
            "BPEDecoder" => new SuffixDecoder(node.Text("suffix")),
            _ => throw node.Unknown("Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace and BPEDecoder"),
        };
        node.Finish("add_prefix_space", "trim_offsets", "use_regex", "split", "str_rep");
        return made;
    }

    private static int Count(JsonNodeReader node, string key)
    {
        node.Required(key);
        return node.Number(key)!.Value;
    }

    private static ReplaceDecoder Replace(JsonNodeReader node)
    {
        var (pattern, text) = NormalizerReader.Pattern(node, r => new RegexPattern(r));
        return new(pattern, text, NormalizerReader.Content(node, text is null));
    }
}
