using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>The post-processor of a tokenizer's file.</summary>
internal static class PostProcessorReader
{
    /// <summary>Reads one.</summary>
    public static PostProcessor Read(JsonElement element, string path)
    {
        var node = new JsonNodeReader(element, path);
        PostProcessor made = node.Type switch
        {
            "Sequence" => new PostProcessorSequence([.. node.Objects("processors").Select(n => Read(n.Element, n.Path))]),
            "ByteLevel" => new TrimmingPostProcessor(node.Flag("trim_offsets"), node.Flag("add_prefix_space")),
            "TemplateProcessing" => Template(node),
            "BertProcessing" => new PairPostProcessor(Pair(node, "cls"), Pair(node, "sep"), asRoberta: false, trims: null),
            "RobertaProcessing" => new PairPostProcessor(Pair(node, "cls"), Pair(node, "sep"), asRoberta: true,
                node.Flag("trim_offsets") ? node.Flag("add_prefix_space") : null),
            _ => throw node.Unknown("Sequence, ByteLevel, TemplateProcessing, BertProcessing and RobertaProcessing"),
        };
        node.Finish("use_regex", "add_prefix_space");
        return made;
    }

    private static (int Id, string Token) Pair(JsonNodeReader node, string key)
    {
        var parts = node.Elements(key).ToList();
        return parts is [var token, var id] ? (JsonNodeReader.Number(id, node.At(key)), JsonNodeReader.Text(token, node.At(key)))
            : throw new UserErrorException($"{node.At(key)} is no token with its id");
    }

    private static TemplatePostProcessor Template(JsonNodeReader node)
    {
        var special = new Dictionary<string, SpecialToken>(StringComparer.Ordinal);
        var all = node.Required("special_tokens");
        if (all.ValueKind != JsonValueKind.Object)
        {
            throw new UserErrorException($"{node.At("special_tokens")} is {JsonNodeReader.Kind(all)}, and an object was expected");
        }

        foreach (var property in all.EnumerateObject())
        {
            var token = new JsonNodeReader(property.Value, $"{node.At("special_tokens")}['{property.Name}']");
            token.Text("id");
            int[] ids = [.. token.Elements("ids").Select(e => JsonNodeReader.Number(e, token.At("ids")))];
            string[] tokens = [.. token.Elements("tokens").Select(e => JsonNodeReader.Text(e, token.At("tokens")))];
            token.Finish();
            special[property.Name] = ids.Length == tokens.Length ? new(ids, tokens)
                : throw new UserErrorException($"{token.Path} has {ids.Length} ids and {tokens.Length} tokens");
        }

        var pair = Parts(node, "pair", special);
        return pair.Exists(p => p.Special is null && p.Text == 0) && pair.Exists(p => p.Special is null && p.Text == 1)
            ? new(Parts(node, "single", special), pair)
            : throw new UserErrorException($"{node.At("pair")} has not both texts, A and B");
    }

    private static List<TemplatePart> Parts(JsonNodeReader node, string key, Dictionary<string, SpecialToken> special) =>
        [.. node.Objects(key).Select(n => Part(n, key == "pair" ? 1 : 0, special))];

    private static TemplatePart Part(JsonNodeReader node, int last, Dictionary<string, SpecialToken> special)
    {
        bool isSpecial = node.Value("SpecialToken") is not null;
        string kind = isSpecial ? "SpecialToken" : "Sequence";
        var inner = new JsonNodeReader(node.Required(kind), node.At(kind));
        string id = inner.Text("id");
        int type = inner.Number("type_id") ?? throw new UserErrorException($"{inner.At("type_id")} is missing");
        inner.Finish();
        node.Finish();
        if (isSpecial)
        {
            return special.TryGetValue(id, out var token) ? new(0, token, type)
                : throw new UserErrorException($"{inner.At("id")} is '{id}', which special_tokens does not have");
        }

        int text = id switch { "A" => 0, "B" => 1, _ => 2 };
        return text <= last ? new(text, null, type)
            : throw new UserErrorException($"{inner.At("id")} is '{id}', which is no text of this template");
    }
}
