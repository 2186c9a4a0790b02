using System.Collections.Concurrent;
using Dataflow.Model;
using Dataflow.Text.Templates;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Corpora;

/// <summary>
/// Passages to ids, by any number of threads. Behind each document stands one end token, before it what the tokenizer's own template puts
/// there; a conversation has its begin tokens from its chat template alone, and its end token, too, where that ends with one.
/// </summary>
internal sealed class DocumentEncoder
{
    // Characters of a text whose offsets are kept: many bytes each.
    private const int LongestRendered = 4 << 20;

    private readonly EncodingRules rules;
    private readonly TextTokenizer tokenizer;
    private readonly IReadOnlyList<int> before;
    private readonly IReadOnlyList<int> behind;
    private readonly string? endToken;
    private readonly ConcurrentDictionary<string, Lazy<ChatTemplate>> templates = [];

    public DocumentEncoder(EncodingRules rules)
    {
        (this.rules, tokenizer) = (rules, rules.Tokenizer);
        endToken = rules.End is { } end ? tokenizer.TokenOf(end) : null;
        (before, behind) = (rules.Before, rules.Behind);
    }

    /// <summary>A passage as ids.</summary>
    /// <exception cref="UserErrorException">It cannot be encoded: the message says where it stands.</exception>
    public EncodedPassage Encode(Passage passage)
    {
        try
        {
            return passage.Kind switch
            {
                DocumentKind.Text => Text(passage),
                DocumentKind.Completion => Completion(passage),
                DocumentKind.Preference => Preference(passage),
                _ => Turns(passage),
            };
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException($"{passage.Place}: {e.Message}");
        }
    }

    private EncodedPassage Text(Passage passage)
    {
        if (passage.Text.Length == 0 && passage is { Begins: true, Ends: true })
        {
            return new EncodedPassage(passage, [], null, Outcome.Empty);
        }

        var ids = new List<int>((passage.Text.Length / 3) + 8);
        if (passage.Begins)
        {
            ids.AddRange(before);
        }

        if (passage is not { Begins: true, Ends: true } && !tokenizer.CutsAtLineStarts)
        {
            throw new UserErrorException(
                "the text is too long to be held, and this tokenizer may give its parts other ids than the whole; give it as shorter "
                    + "documents, for example with --documents line or paragraph");
        }

        tokenizer.EncodeIds(passage.Text, !passage.Begins, ids);
        if (passage.Ends)
        {
            ids.AddRange(behind);
        }

        return new EncodedPassage(passage, ids, null, Outcome.Kept);
    }

    private EncodedPassage Completion(Passage passage)
    {
        CheckLength("the prompt and its completion have", passage.Text.Length);
        var text = tokenizer.Encode(passage.Text, addSpecialTokens: false);
        int prompt = CodePointCount(passage.Text.AsSpan(0, passage.PromptLength));
        var ids = new List<int>([.. before, .. text.TokenIds, .. behind]);
        byte[] weights = new byte[ids.Count];
        bool trains = Mark(text, [new TextSpan(prompt, int.MaxValue)], weights.AsSpan(before.Count));
        // The end of a completion is to be learnt, too.
        weights.AsSpan(before.Count + text.TokenIds.Count).Fill(1);
        return trains
            ? new EncodedPassage(passage, ids, weights, Outcome.Kept)
            : new EncodedPassage(passage, [], null, Outcome.Untrained) { Reason = "its completion is empty" };
    }

    /// <summary>Prompt and chosen answer, then prompt and rejected answer.</summary>
    private EncodedPassage Preference(Passage passage)
    {
        EncodedPassage Of(string text)
        {
            var one = passage with { Text = text };
            return passage.IsOfTurns ? Turns(one) : Completion(one);
        }

        var (chosen, rejected) = (Of(passage.Text), Of(passage.Rejected!));
        if (chosen.Outcome != Outcome.Kept || rejected.Outcome != Outcome.Kept || !HasTarget(chosen) || !HasTarget(rejected))
        {
            string why = "one of its answers is empty, or all that there is";
            return new EncodedPassage(passage, [], null, Outcome.Untrained) { Reason = why };
        }

        byte[] weights = [.. chosen.Weights!, .. rejected.Weights!];
        weights[chosen.Ids.Count] = PreferenceDocuments.BeginsRejected;
        return new EncodedPassage(passage, [.. chosen.Ids, .. rejected.Ids], weights, Outcome.Kept);

        // The first token is nobody's target.
        static bool HasTarget(in EncodedPassage one) => one.Weights.AsSpan(1).ContainsAnyExcept((byte)0);
    }

    private EncodedPassage Turns(Passage passage)
    {
        var conversation = Conversation.Parse(passage.Text);
        var template = templates.GetOrAdd(rules.TemplateFor(conversation), t => new(() => ChatTemplate.Parse(t))).Value;
        var options = new RenderOptions
        {
            FindAssistant = true, Now = rules.Now, SpecialTokens = rules.SpecialTokens,
        };
        var rendered = template.Render(conversation, options);
        if (rendered.AssistantFault is { } fault)
        {
            throw fault;
        }

        CheckLength("the conversation has", rendered.Text.Length);

        var text = tokenizer.Encode(rendered.Text, addSpecialTokens: false);
        var ids = new List<int>(text.TokenIds);
        if (rules.End is { } end && !rendered.Text.AsSpan().TrimEnd().EndsWith(endToken))
        {
            ids.Add(end); // it parts documents and is none of the assistant's words
        }

        byte[] weights = new byte[ids.Count];
        return Mark(text, CompletionTurns.Trained(passage, template, options, rendered), weights)
            ? new EncodedPassage(passage, ids, weights, Outcome.Kept)
            : new EncodedPassage(passage, [], null, Outcome.Untrained) { Reason = "no turn of it is the assistant's" };
    }

    private static void CheckLength(string what, int characters)
    {
        if (characters > LongestRendered)
        {
            throw new UserErrorException($"{what} {characters:N0} characters, and at most {LongestRendered:N0} can be taken; break it up");
        }
    }

    /// <summary>Marks each token that stands for a character of a span: a token across its border, too.</summary>
    private static bool Mark(EncodedText text, IReadOnlyList<TextSpan> spans, Span<byte> weights)
    {
        bool some = false;
        int span = 0;
        for (int i = 0; i < text.TokenIds.Count; i++)
        {
            var (start, end) = text.Offsets[i];
            while (span < spans.Count && spans[span].End <= start)
            {
                span++;
            }

            if (span < spans.Count && end > spans[span].Start && end > start)
            {
                weights[i] = 1;
                some = true;
            }
        }

        return some;
    }

    /// <summary>Code points of a text, in which spans and offsets are counted.</summary>
    internal static int CodePointCount(ReadOnlySpan<char> text)
    {
        int count = 0;
        foreach (char c in text)
        {
            count += char.IsLowSurrogate(c) ? 0 : 1;
        }

        return count;
    }
}
