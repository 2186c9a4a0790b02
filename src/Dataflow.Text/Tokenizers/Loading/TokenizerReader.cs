using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>Reads a tokenizer.json.</summary>
internal static class TokenizerReader
{
    private const int DeepestNesting = 64;

    /// <summary>The tokenizer of a file.</summary>
    /// <exception cref="UserErrorException">It is no tokenizer.json, or has something that cannot be done exactly.</exception>
    public static TokenizerPipeline Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(
                json.Span.StartsWith("\uFEFF"u8) ? json[3..] : json, new JsonDocumentOptions { MaxDepth = DeepestNesting });
            return Read(document.RootElement);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"it is no JSON, or nested deeper than {DeepestNesting}: {e.Message.TrimEnd('.')}");
        }
    }

    private static TokenizerPipeline Read(JsonElement root)
    {
        var node = new JsonNodeReader(root, "");
        if (node.OptionalText("version") is { } version && version != "1.0")
        {
            throw new UserErrorException($"version is '{version}', and 1.0 is what there is");
        }

        if (node.Value("truncation") is not null)
        {
            throw new UserErrorException("truncation is not supported: set it to null, and bound the length where texts are packed");
        }

        if (node.Value("padding") is { } padding)
        {
            CheckPadding(new(padding, "padding"));
        }

        var model = ModelReader.Read(node.Required("model"));
        var normalizer = node.Value("normalizer") is { } n ? NormalizerReader.Read(n, "normalizer") : null;
        var stages = node.Value("pre_tokenizer") is { } p ? PreTokenizerReader.Read(p, "pre_tokenizer") : [];
        var post = node.Value("post_processor") is { } o ? PostProcessorReader.Read(o, "post_processor") : null;
        var decoder = node.Value("decoder") is { } d ? DecoderReader.Read(d, "decoder") : null;
        var added = node.Value("added_tokens") is null ? [] : node.Objects("added_tokens").Select(Added).ToList();
        node.Finish();
        return new(normalizer, stages, model, new(added, model.Vocabulary, normalizer), post, decoder);
    }

    // The longest of one text is itself; anything else would add tokens.
    private static void CheckPadding(JsonNodeReader node)
    {
        if (node.Value("strategy") is not { ValueKind: JsonValueKind.String } strategy || strategy.GetString() != "BatchLongest"
            || node.Value("pad_to_multiple_of") is not null)
        {
            throw new UserErrorException("padding to a length is not supported: set padding to null");
        }
    }

    private static AddedToken Added(JsonNodeReader node)
    {
        node.Value("id");
        var token = new AddedToken(node.Text("content"))
        {
            SingleWord = node.Flag("single_word"),
            StripsLeft = node.Flag("lstrip"),
            StripsRight = node.Flag("rstrip"),
            Normalized = node.Flag("normalized"),
            Special = node.Flag("special"),
        };
        node.Finish();
        return token;
    }
}
