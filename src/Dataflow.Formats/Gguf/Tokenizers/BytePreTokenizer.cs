using System.Text.Json.Nodes;

namespace Dataflow.Formats;

/// <summary>
/// How texts are cut into words before byte-level merges. A GGUF file has but a name for it, a tokenizer.json its stages; here each stage
/// is a line of text: a pattern, or one of the words below.
/// </summary>
/// <param name="Names">In GGUF files; the first is written.</param>
/// <param name="Stages">One after the other.</param>
internal sealed record BytePreTokenizer(IReadOnlyList<string> Names, params IReadOnlyList<string> Stages)
{
    /// <summary>Each digit is a word.</summary>
    public const string Digits = "digits";

    /// <summary>GPT-2's pattern, and bytes in its alphabet.</summary>
    public const string Gpt2 = "gpt2";

    /// <summary>Bytes in that alphabet.</summary>
    public const string Bytes = "bytes";

    private const string Contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Before = @"[^\r\n\p{L}\p{N}]?";
    private const string Capitals = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Small = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string Spaces = @"|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Rest = @"| ?[^\s\p{L}\p{N}]+[\r\n]*" + Spaces;
    private const string ThreeDigits = $@"{Contraction}|{Before}\p{{L}}+|\p{{N}}{{1,3}}{Rest}";
    private const string OneDigit = $@"{Contraction}|{Before}\p{{L}}+|\p{{N}}{Rest}";

    private const string Cased = $@"{Before}{Capitals}*{Small}+{Contraction}?|{Before}{Capitals}+{Small}*{Contraction}?"
        + $@"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{Spaces}";

    private const string CasedPlain = $@"{Before}{Capitals}*{Small}+|{Before}{Capitals}+{Small}*"
        + $@"|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{Spaces}";

    private const string DeepSeekWords = @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        + @"| ?[\p{P}\p{S}]+[\r\n]*" + Spaces;

    // Published files spell these in several ways, which mean the same.
    private static readonly string[] s_contractions = ["(?i:'(?:s|t|re|ve|m|ll|d))", "'(?i:[sdmt]|ll|ve|re)"];

    /// <summary>All that are known.</summary>
    public static IReadOnlyList<BytePreTokenizer> All { get; } =
    [
        new(["gpt-2", "phi-2", "mpt", "jais", "roberta-bpe"], Gpt2),
        new(["olmo"], Gpt2) { Composes = true },
        new(["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"], Digits, Gpt2),
        new(["llama-bpe", "llama3", "llama-v3", "falcon3"], ThreeDigits, Bytes) { IgnoresMerges = true, Begins = true },
        new(["smaug-bpe", "dbrx"], ThreeDigits, Bytes),
        new(["qwen2", "deepseek-r1-qwen"], OneDigit, Bytes) { Composes = true },
        new(["stablelm2"], OneDigit, Bytes),
        new(["gpt-4o", "llama4"], Cased, Bytes),
        new(["tekken"], CasedPlain, Bytes) { IgnoresMerges = true },
        new(["deepseek-v3"], @"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", DeepSeekWords, Bytes),
    ];

    /// <summary>The names of all, for messages.</summary>
    public static string Known { get; } = string.Join(", ", All.SelectMany(p => p.Names).Order(StringComparer.Ordinal));

    /// <summary>A word that is a token is one, whatever the merges.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>Where a file does not say it, texts begin with a special token.</summary>
    public bool Begins { get; init; }

    /// <summary>Texts are brought into the composed form first (NFC).</summary>
    public bool Composes { get; init; }

    /// <summary>The one of a name; null if nobody knows it.</summary>
    public static BytePreTokenizer? Named(string name) => All.FirstOrDefault(p => p.Names.Contains(name));

    /// <summary>The one that a tokenizer.json asks for; null if the format has no name for it.</summary>
    public static BytePreTokenizer? Of(JsonObject tokenizer)
    {
        var stages = new List<string>();
        if (!Add(tokenizer["pre_tokenizer"], stages) || ComposedBy(tokenizer["normalizer"]) is not { } composes)
        {
            return null;
        }

        bool ignores = tokenizer["model"]?["ignore_merges"]?.GetValue<bool>() ?? false;
        return All.FirstOrDefault(p => p.Stages.SequenceEqual(stages) && p.IgnoresMerges == ignores && p.Composes == composes);
    }

    /// <summary>As a tokenizer.json has it.</summary>
    public JsonObject ToJson() => new()
    {
        ["type"] = "Sequence",
        ["pretokenizers"] = new JsonArray([.. Stages.Select(Stage)]),
    };

    private static JsonObject Stage(string stage) => stage switch
    {
        Digits => new() { ["type"] = "Digits", ["individual_digits"] = true },
        Gpt2 or Bytes => new()
        {
            ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = stage == Gpt2,
        },
        _ => new()
        {
            ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = stage }, ["behavior"] = "Isolated", ["invert"] = false,
        },
    };

    private static bool Add(JsonNode? stage, List<string> stages)
    {
        string? line = stage?["type"]?.GetValue<string>() switch
        {
            "Sequence" => stage["pretokenizers"]!.AsArray().All(s => Add(s, stages)) ? "" : null,
            "Digits" when Flag(stage, "individual_digits", absent: false) => Digits,
            "ByteLevel" when !Flag(stage, "add_prefix_space", absent: true) => Flag(stage, "use_regex", absent: true) ? Gpt2 : Bytes,
            "Split" when stage["behavior"]?.GetValue<string>() == "Isolated" && !Flag(stage, "invert", absent: false)
                && stage["pattern"]?["Regex"] is { } pattern => Canonical(pattern.GetValue<string>()),
            _ => null,
        };
        if (line is { Length: > 0 })
        {
            stages.Add(line);
        }

        return line is not null;
    }

    private static bool? ComposedBy(JsonNode? normalizer) => normalizer?["type"]?.GetValue<string>() switch
    {
        null => false,
        "NFC" => true,
        "Sequence" when normalizer["normalizers"]!.AsArray() is { Count: <= 1 } inner => inner.Count > 0 && ComposedBy(inner[0]) is true
            ? true : inner.Count == 0 ? false : null,
        _ => null,
    };

    private static string Canonical(string pattern)
    {
        pattern = pattern.Replace("\r", @"\r", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal);
        return s_contractions.Aggregate(pattern, (p, spelled) => p.Replace(spelled, Contraction, StringComparison.Ordinal));
    }

    private static bool Flag(JsonNode node, string key, bool absent) => node[key]?.GetValue<bool>() ?? absent;
}
