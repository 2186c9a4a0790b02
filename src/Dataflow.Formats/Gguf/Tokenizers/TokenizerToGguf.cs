using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Formats;

/// <summary>The tokenizer of a Hugging Face folder as the keys of a GGUF file.</summary>
internal sealed class TokenizerToGguf
{
    private const string Prefix = "tokenizer.ggml.";
    private const string Space = "\u2581";

    private readonly string path;
    private readonly JsonObject root;
    private readonly TextTokenizer tokenizer;
    private readonly string[] tokens;
    private readonly TokenType[] types;
    private readonly List<KeyValuePair<string, GgufValue>> values = [];
    private readonly List<string> notes = [];

    private TokenizerToGguf(string path, byte[] json, int rows)
    {
        this.path = path;
        tokenizer = TextTokenizer.FromJson(json);
        root = JsonNode.Parse(json)!.AsObject();
        if (tokenizer.IdCount > rows)
        {
            throw new UserErrorException(
                $"{path} has {tokenizer.IdCount} tokens, and the model's vocabulary {rows}; give the folder the model's own tokenizer");
        }

        tokens = [.. Enumerable.Range(0, rows).Select(id =>
            tokenizer.TokenOf(id) ?? string.Create(CultureInfo.InvariantCulture, $"[PAD{id}]"))];
        types = Types();
    }

    /// <summary>What a file says of a tokenizer.</summary>
    /// <param name="Values">The keys.</param>
    /// <param name="Notes">Sentences for whoever uses the file.</param>
    public sealed record Description(IReadOnlyList<KeyValuePair<string, GgufValue>> Values, IReadOnlyList<string> Notes);

    /// <summary>The keys of a tokenizer.json.</summary>
    /// <param name="path">Its file, for messages.</param>
    /// <param name="json">The file.</param>
    /// <param name="rows">Of the model's vocabulary.</param>
    /// <param name="special">Ids of special tokens by their role: bos, eos, unknown, padding.</param>
    /// <exception cref="UserErrorException">The format has no words for it.</exception>
    public static Description Of(string path, byte[] json, int rows, IReadOnlyDictionary<string, int> special)
    {
        try
        {
            return new TokenizerToGguf(path, json, rows).Describe(special);
        }
        catch (UserErrorException e) when (!e.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new UserErrorException($"{path}: {e.Message}");
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or JsonException)
        {
            throw new UserErrorException($"{path} has a value of another type than expected ({e.Message}); fetch the model again");
        }
    }

    /// <summary>The keys where a folder has no tokenizer: readers then take ids alone.</summary>
    public static Description None(IReadOnlyDictionary<string, int> special) =>
        new([new(Prefix + "model", new GgufValue.Text("none")), .. Ids(special)], []);

    private static IEnumerable<KeyValuePair<string, GgufValue>> Ids(IReadOnlyDictionary<string, int> special) =>
        special.Select(s => KeyValuePair.Create($"{Prefix}{s.Key}_token_id", GgufValue.UInt32(s.Value)));

    private Description Describe(IReadOnlyDictionary<string, int> special)
    {
        var model = root["model"]!.AsObject();
        if (model["merges"] is not JsonArray list)
        {
            throw Refused("is no byte-pair encoding (its model has no merges)");
        }

        var merges = list.Select(Merge).OfType<(string Left, string Right)>().ToList();
        bool scored = model["byte_fallback"]?.GetValue<bool>() == true;
        Add("model", new GgufValue.Text(scored ? "llama" : "gpt2"));
        if (!scored)
        {
            var pre = BytePreTokenizer.Of(root)
                ?? throw Refused("cuts texts in a way that the format has no name for (normalizer, pre_tokenizer, ignore_merges)");
            Add("pre", new GgufValue.Text(pre.Names[0]));
        }
        else
        {
            Add("pre", new GgufValue.Text("default"));
        }

        Add("tokens", new GgufValue.List(GgufKind.String, tokens));
        if (scored)
        {
            AddScored(merges);
        }
        else
        {
            Add("merges", Spelled(merges));
        }

        Add("token_type", new GgufValue.List(GgufKind.Int32, Array.ConvertAll(types, t => (int)t)));
        values.AddRange(Ids(special));
        AddTemplate(special);
        return new(values, notes);
    }

    private void AddScored(List<(string Left, string Right)> merges)
    {
        float[] scores = ScoredPieces.Scores(tokens, merges);
        Add("scores", new GgufValue.List(GgufKind.Float32, scores));
        Add("add_space_prefix", new GgufValue.Flag(Marks()));
        var merged = Enumerable.Range(0, tokens.Length).Where(i => types[i] is TokenType.Normal or TokenType.UserDefined)
            .Select(i => (tokens[i], i, scores[i])).ToList();
        var derived = ScoredPieces.Merges(merged);
        if (derived.SequenceEqual(merges))
        {
            return;
        }

        Add("merges", Spelled(merges));
        if (!derived.ToHashSet().SetEquals(merges))
        {
            notes.Add(
                $"{path} merges fewer pairs of tokens than have a token together; the file says which, and readers that merge by scores "
                    + "alone (llama.cpp) cut some texts otherwise");
        }
    }

    /// <summary>Whether a text begins with a space of the tokenizer's own.</summary>
    private bool Marks()
    {
        var (normalizer, pre) = (root["normalizer"], root["pre_tokenizer"]);
        string? Type(JsonNode? node) => node?["type"]?.GetValue<string>();
        bool Replaces(JsonNode? node) =>
            Type(node) == "Replace" && (string?)node!["pattern"]?["String"] == " " && (string?)node["content"] == Space;
        if (Type(pre) == "Metaspace" && normalizer is null && pre!["split"]?.GetValue<bool>() == false)
        {
            return (string?)pre["prepend_scheme"] != "never";
        }

        // A text has no space once the normalizer has been there: a split at spaces does nothing.
        bool isWhole = pre is null || (Type(pre) == "Split" && (string?)pre["pattern"]?["String"] == " ");
        if (isWhole && Replaces(normalizer))
        {
            return false;
        }

        return isWhole && Type(normalizer) == "Sequence" && normalizer!["normalizers"] is JsonArray { Count: 2 } two
            && Type(two[0]) == "Prepend" && (string?)two[0]!["prepend"] == Space && Replaces(two[1])
            ? true
            : throw Refused("brings texts into a form that the format has no words for (normalizer, pre_tokenizer)");
    }

    /// <summary>Which special tokens stand around a text, by what the tokenizer does.</summary>
    private void AddTemplate(IReadOnlyDictionary<string, int> special)
    {
        const string text = "a";
        var plain = tokenizer.EncodeIds(text, addSpecialTokens: false);
        var around = tokenizer.EncodeIds(text, addSpecialTokens: true);
        int extra = around.Count - plain.Count;
        bool begins = extra > 0 && special.TryGetValue("bos", out int bos) && around[0] == bos;
        bool ends = extra > (begins ? 1 : 0) && special.TryGetValue("eos", out int eos) && around[^1] == eos;
        if (extra != (begins ? 1 : 0) + (ends ? 1 : 0))
        {
            throw Refused("puts other tokens around a text than those that begin and end one (post_processor)");
        }

        Add("add_bos_token", new GgufValue.Flag(begins));
        Add("add_eos_token", new GgufValue.Flag(ends));
    }

    private TokenType[] Types()
    {
        string? unknown = (string?)root["model"]?["unk_token"];
        bool bytes = root["model"]?["byte_fallback"]?.GetValue<bool>() == true;
        var found = new TokenType[tokens.Length];
        for (int id = 0; id < found.Length; id++)
        {
            string token = tokens[id];
            found[id] = tokenizer.TokenOf(id) is null ? TokenType.Unused
                : token == unknown ? TokenType.Unknown
                : bytes && token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>' ? TokenType.Byte
                : TokenType.Normal;
        }

        foreach (var added in root["added_tokens"]?.AsArray().OfType<JsonObject>() ?? [])
        {
            string content = (string)added["content"]!;
            if (tokenizer.IdOf(content) is { } id && found[id] != TokenType.Unknown)
            {
                found[id] = added["special"]?.GetValue<bool>() == true ? TokenType.Control : TokenType.UserDefined;
            }

            if (new[] { "lstrip", "rstrip", "single_word" }.FirstOrDefault(f => added[f]?.GetValue<bool>() == true) is { } flag)
            {
                notes.Add($"{path} finds its token {GgufHeader.Shown(content)} with {flag}, for which the format has no words");
            }
        }

        return found;
    }

    private static (string Left, string Right)? Merge(JsonNode? merge) => merge switch
    {
        JsonArray pair => ((string)pair[0]!, (string)pair[1]!),
        _ => ((string)merge!).Split(' ') is [var left, var right] && !left.StartsWith("#version", StringComparison.Ordinal)
            ? (left, right) : null,
    };

    private static GgufValue.List Spelled(List<(string Left, string Right)> merges) =>
        new(GgufKind.String, merges.Select(m => $"{m.Left} {m.Right}").ToArray());

    private void Add(string key, GgufValue value) => values.Add(new(Prefix + key, value));

    private UserErrorException Refused(string why) => new($"{path} {why}, so that it cannot be in a GGUF file; export a folder instead");
}
