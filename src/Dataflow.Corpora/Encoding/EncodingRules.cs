using System.Globalization;
using Dataflow.Model;
using Dataflow.Text.Templates;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Corpora;

/// <summary>By which rules documents become token ids.</summary>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="TokenizerHash">SHA-256 of its file, in hexadecimal digits.</param>
public sealed record EncodingRules(TextTokenizer Tokenizer, string TokenizerHash)
{
    /// <summary>What templates are told of the time where nobody says it: the same data comes out every day.</summary>
    public static DateTime DefaultNow { get; } = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Unspecified);

    /// <summary>The id behind each document; null: none.</summary>
    public int? End { get; init; }

    /// <summary>The chat templates of the model; null where it has none.</summary>
    public ModelTemplates? Templates { get; init; }

    /// <summary>The model's special tokens, as variables of a template.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens { get; init; } = new Dictionary<string, string>();

    /// <summary>A template in place of the model's, as text.</summary>
    public string? Template { get; init; }

    /// <summary>What a template that asks for the time is told.</summary>
    public DateTime Now { get; init; } = DefaultNow;

    /// <summary>Whether documents of which nothing would be trained are left out; else the first one ends the work.</summary>
    public bool DropsUntrained { get; init; }

    /// <summary>What the tokenizer's own template puts before a text.</summary>
    public IReadOnlyList<int> Before => Around.Before;

    /// <summary>What it puts behind a text, and the end token, once.</summary>
    public IReadOnlyList<int> Behind => End is { } last && (Around.Behind.Count == 0 || Around.Behind[^1] != last)
        ? [.. Around.Behind, last] : Around.Behind;

    private (IReadOnlyList<int> Before, IReadOnlyList<int> Behind) Around
    {
        get
        {
            var plain = Tokenizer.EncodeIds("a", addSpecialTokens: false);
            var special = Tokenizer.EncodeIds("a", addSpecialTokens: true);
            int at = Enumerable.Range(0, special.Count - plain.Count + 1)
                .First(i => special.Skip(i).Take(plain.Count).SequenceEqual(plain));
            return (special[..at], special[(at + plain.Count)..]);
        }
    }

    /// <summary>What else than the sources decides ids and weights, as one line: equal only where these are.</summary>
    public string Identity
    {
        get
        {
            string[] templates = Template is not null ? [Template]
                : [.. Templates?.Names.Order(StringComparer.Ordinal).Select(n => Templates.Choose(n, false)) ?? []];
            string texts = string.Join('\0', templates);
            string tokens = string.Join(' ', SpecialTokens.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => $"{t.Key}={t.Value}"));
            string clock = texts.Contains("strftime_now", StringComparison.Ordinal) ? Now.ToString("s", null) : "";
            string end = End?.ToString(CultureInfo.InvariantCulture) ?? "none";
            return $"{TokenizerHash} {string.Join(',', Before)} {string.Join(',', Behind)} {end} "
                + $"{Fingerprints.Of(texts + '\0' + tokens)} {clock} {DropsUntrained}";
        }
    }

    /// <summary>The template for a conversation.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    internal string TemplateFor(Conversation conversation) => Template
        ?? Templates?.Choose(null, conversation.Tools is not null)
        ?? throw new UserErrorException("the tokenizer's folder has no chat template, and there are conversations; give one with "
            + "--template");
}
