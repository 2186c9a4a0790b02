using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Formats;

/// <summary>The tokenizer in a GGUF file as the files of a Hugging Face folder.</summary>
internal sealed class TokenizerFromGguf
{
    private const string Prefix = "tokenizer.ggml.";
    private const string TemplateKey = "tokenizer.chat_template";
    private static readonly string[] s_none = ["none", "no_vocab"];

    private static readonly JsonSerializerOptions s_indented = new()
    {
        WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly GgufMetadata metadata;
    private readonly IReadOnlyList<string> tokens;
    private readonly TokenType[] types;

    private TokenizerFromGguf(GgufMetadata metadata)
    {
        this.metadata = metadata;
        tokens = metadata.Texts(Prefix + "tokens") ?? throw metadata.Wrong(Prefix + "tokens", "is missing");
        types = Types();
    }

    /// <summary>The files by name; none where the file has no tokenizer.</summary>
    /// <exception cref="UserErrorException">It has one that cannot be done exactly, or that is not whole.</exception>
    public static IReadOnlyDictionary<string, string> Files(GgufMetadata metadata)
    {
        var files = new Dictionary<string, string>();
        var named = NamedTemplates(metadata);
        if (named.Count == 0 && metadata.Text(TemplateKey) is { } template)
        {
            files["chat_template.jinja"] = template;
        }

        string? model = metadata.Text(Prefix + "model");
        if (model is null || s_none.Contains(model))
        {
            return files;
        }

        var tokenizer = new TokenizerFromGguf(metadata);
        files["tokenizer.json"] = (model switch
        {
            "gpt2" => tokenizer.ByteLevel(),
            "llama" => tokenizer.SpaceMarked(),
            _ => throw metadata.Wrong(
                Prefix + "model", $"is {GgufHeader.Shown(model)}, and gpt2 (byte-level merges) and llama (scored merges) can be imported"),
        }).ToJsonString(s_indented) + "\n";
        var config = tokenizer.Config(model);
        if (named.Count > 0)
        {
            config["chat_template"] = named;
        }

        files["tokenizer_config.json"] = config.ToJsonString(s_indented) + "\n";
        return files;
    }

    /// <summary>Where there are several, a folder has them in a list.</summary>
    private static JsonArray NamedTemplates(GgufMetadata metadata)
    {
        JsonObject Named(string name, string text) => new() { ["name"] = name, ["template"] = text };
        var names = metadata.Texts("tokenizer.chat_templates") ?? [];
        var list = new JsonArray([.. names.Distinct().Select(n => Named(
            n, metadata.Text($"{TemplateKey}.{n}") ?? throw metadata.Wrong($"{TemplateKey}.{GgufHeader.Shown(n)}", "is missing")))]);
        if (list.Count > 0 && metadata.Text(TemplateKey) is { } template)
        {
            list.Insert(0, Named("default", template));
        }

        return list;
    }

    private JsonObject ByteLevel()
    {
        string name = metadata.Text(Prefix + "pre")
            ?? throw metadata.Wrong(Prefix + "pre", "is missing: nobody knows how texts are cut; convert the model anew");
        var pre = BytePreTokenizer.Named(name)
            ?? throw metadata.Wrong(
                Prefix + "pre", $"is {GgufHeader.Shown(name)}, a way to cut texts that is not known; known are {BytePreTokenizer.Known}");
        var decoder = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = true, ["trim_offsets"] = true, ["use_regex"] = true };
        var merges = Merges() ?? throw metadata.Wrong(Prefix + "merges", "is missing, and byte-level merges need it");
        var normalizer = pre.Composes ? new JsonObject { ["type"] = "NFC" } : null;
        return Tokenizer(
            normalizer, pre.ToJson(), decoder, Bpe(merges, unknown: null, pre.IgnoresMerges, bytes: false), pre.Begins);
    }

    private JsonObject SpaceMarked()
    {
        var scores = metadata.Reals(Prefix + "scores") ?? throw metadata.Wrong(Prefix + "scores", "is missing, and scored merges need it");
        if (scores.Count != tokens.Count || scores.Any(float.IsNaN))
        {
            throw metadata.Wrong(Prefix + "scores", $"has {scores.Count} numbers for {tokens.Count} tokens, or some that are none");
        }

        bool marks = metadata.Flag(Prefix + "add_space_prefix") ?? true;
        const string space = "\u2581";
        JsonObject Replaced(string from, string to) => new()
        {
            ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = from }, ["content"] = to,
        };
        var normalizer = marks
            ? new JsonObject
            {
                ["type"] = "Sequence",
                ["normalizers"] = new JsonArray(new JsonObject { ["type"] = "Prepend", ["prepend"] = space }, Replaced(" ", space)),
            }
            : Replaced(" ", space);
        var decoders = new JsonArray(
            Replaced(space, " "), new JsonObject { ["type"] = "ByteFallback" }, new JsonObject { ["type"] = "Fuse" });
        if (marks)
        {
            decoders.Add((JsonNode)new JsonObject { ["type"] = "Strip", ["content"] = " ", ["start"] = 1, ["stop"] = 0 });
        }

        var merged = Enumerable.Range(0, tokens.Count).Where(i => types[i] is TokenType.Normal or TokenType.UserDefined)
            .Select(i => (tokens[i], i, scores[i])).ToList();
        int unknown = Array.IndexOf(types, TokenType.Unknown);
        var model = Bpe(
            Merges() ?? ScoredPieces.Merges(merged), unknown < 0 ? null : tokens[unknown], ignores: false, types.Contains(TokenType.Byte));
        return Tokenizer(normalizer, null, new JsonObject { ["type"] = "Sequence", ["decoders"] = decoders }, model, begins: true);
    }

    private JsonObject Tokenizer(JsonNode? normalizer, JsonNode? pre, JsonNode decoder, JsonNode model, bool begins) => new()
    {
        ["version"] = "1.0",
        ["truncation"] = null,
        ["padding"] = null,
        ["added_tokens"] = new JsonArray([.. Enumerable.Range(0, tokens.Count).Where(IsAdded).Select(Added)]),
        ["normalizer"] = normalizer,
        ["pre_tokenizer"] = pre,
        ["post_processor"] = Template(Special("add_bos_token", "bos_token_id", begins), Special("add_eos_token", "eos_token_id", false)),
        ["decoder"] = decoder,
        ["model"] = model,
    };

    private JsonObject Bpe(IReadOnlyList<(string Left, string Right)> merges, string? unknown, bool ignores, bool bytes)
    {
        var vocabulary = new JsonObject();
        for (int id = 0; id < tokens.Count; id++)
        {
            if (!IsPadding(id) && !vocabulary.TryAdd(tokens[id], id))
            {
                throw metadata.Wrong(Prefix + "tokens", $"has {GgufHeader.Shown(tokens[id])} twice, and a tokenizer's tokens differ");
            }
        }

        return new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = unknown,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = unknown is not null,
            ["byte_fallback"] = bytes,
            ["ignore_merges"] = ignores,
            ["vocab"] = vocabulary,
            ["merges"] = new JsonArray([.. merges.Select(m => new JsonArray(m.Left, m.Right))]),
        };
    }

    private List<(string, string)>? Merges() => metadata.Texts(Prefix + "merges")?.Select(m =>
        m.IndexOf(' ', StringComparison.Ordinal) is > 0 and var at && at < m.Length - 1 ? (m[..at], m[(at + 1)..])
            : throw metadata.Wrong(Prefix + "merges", $"has '{GgufHeader.Shown(m)}', and two tokens with a space between were expected"))
        .ToList();

    private TokenType[] Types()
    {
        if (metadata.Find(Prefix + "token_type") is null)
        {
            return [.. Enumerable.Repeat(TokenType.Normal, tokens.Count)];
        }

        var numbers = metadata.Wholes(Prefix + "token_type")!;
        return numbers.Count == tokens.Count && numbers.All(n => n is >= (int)TokenType.Normal and <= (int)TokenType.Byte)
            ? [.. numbers.Select(n => (TokenType)n)]
            : throw metadata.Wrong(
                Prefix + "token_type", $"has {numbers.Count} numbers for {tokens.Count} tokens, or some that are no types of tokens");
    }

    // What stands for text that has no token is a special token of those files too.
    private bool IsAdded(int id) => types[id] is TokenType.Control or TokenType.UserDefined or TokenType.Unknown && tokens[id].Length > 0;

    /// <summary>Rows that a converter made up a token for, as the embedding has more than there are tokens.</summary>
    private bool IsPadding(int id) =>
        types[id] == TokenType.Unused && tokens[id] == string.Create(CultureInfo.InvariantCulture, $"[PAD{id}]");

    private JsonNode Added(int id) => new JsonObject
    {
        ["id"] = id,
        ["content"] = tokens[id],
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = types[id] != TokenType.UserDefined,
    };

    private int? Special(string flag, string id, bool absent) =>
        metadata.Flag(Prefix + flag) ?? absent ? Id(id) : null;

    private int? Id(string key) => metadata.Whole(Prefix + key) is not { } id ? null
        : id < tokens.Count ? (int)id
        : throw metadata.Wrong(Prefix + key, $"is {id}, and there are {tokens.Count} tokens");

    private JsonObject? Template(int? begin, int? end)
    {
        if (begin is null && end is null)
        {
            return null;
        }

        JsonObject Token(int id, int text) => new()
        {
            ["SpecialToken"] = new JsonObject { ["id"] = tokens[id], ["type_id"] = text },
        };
        IEnumerable<JsonNode> Text(string name, int text)
        {
            if (begin is { } before)
            {
                yield return Token(before, text);
            }

            yield return new JsonObject { ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = text } };
            if (end is { } after)
            {
                yield return Token(after, text);
            }
        }

        var special = new JsonObject();
        foreach (int id in new[] { begin, end }.OfType<int>().Distinct())
        {
            special[tokens[id]] = new JsonObject
            {
                ["id"] = tokens[id], ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(tokens[id]),
            };
        }

        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray([.. Text("A", 0)]),
            ["pair"] = new JsonArray([.. Text("A", 0), .. Text("B", 1)]),
            ["special_tokens"] = special,
        };
    }

    private JsonObject Config(string model)
    {
        var config = new JsonObject
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["clean_up_tokenization_spaces"] = false,
            ["add_bos_token"] = metadata.Flag(Prefix + "add_bos_token")
                ?? (model == "llama" || (metadata.Text(Prefix + "pre") is { } pre && BytePreTokenizer.Named(pre)?.Begins == true)),
            ["add_eos_token"] = metadata.Flag(Prefix + "add_eos_token") ?? false,
        };
        foreach (var (key, id) in new[] { ("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding") })
        {
            if (Id(id + "_token_id") is { } number)
            {
                config[key + "_token"] = tokens[number];
            }
        }

        return config;
    }
}
