using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates;

/// <summary>
/// What the assistant wrote, where the template does not mark it. Its turn begins where the prompt for it ends: the turns before it,
/// rendered for the assistant to speak. It ends where the turns up to it, rendered alone, end. Both are beginnings of the whole as a rule,
/// and then the turn is what lies between. Where they are not (a template drops old thoughts, or closes the last turn in another way), the
/// turn is rendered with a content of our own in its place, twice with nothing in common: what the renderings share before and after it is
/// not the assistant's, whatever the content happens to begin with.
/// </summary>
internal sealed class AssistantSearch(ConversationRenderer renderer, List<DictValue> turns, string text, bool addGenerationPrompt)
{
    // Begins and ends with characters that neither templates nor people write.
    private const string Probe = "\ue0f1probe\ue0f2";

    public List<(int Start, int End)> Find()
    {
        List<(int Start, int End)> spans = [];
        for (int i = 0; i < turns.Count; i++)
        {
            if (!turns[i].TryGetValue("role", out object? role) || role is not "assistant") continue;
            (int start, int end) = Between(i) ?? Probed(i) ?? ByTurns(i) ?? throw Unknown(i);
            if (start > end || (spans.Count > 0 && start < spans[^1].End)) throw Unknown(i);
            spans.Add((start, end));
        }
        return spans;
    }

    /// <summary>The turn between the prompt and the turns up to it, where both are beginnings of the whole.</summary>
    private (int Start, int End)? Between(int i)
    {
        if (Try(turns.Take(i), prompt: true) is not { } prompt || !text.StartsWith(prompt, StringComparison.Ordinal)) return null;
        if (i == turns.Count - 1 && !addGenerationPrompt) return (prompt.Length, text.Length);
        string through = Require(turns.Take(i + 1), prompt: false, i);
        return text.StartsWith(through, StringComparison.Ordinal) && through.Length >= prompt.Length ? (prompt.Length, through.Length)
            : null;
    }

    /// <summary>
    /// The turn between the turns before it and those up to it, where both are beginnings of the whole: of a turn that does not begin as
    /// the
    /// prompt does, such as a call of a tool, what it shares with the prompt is not the assistant's.
    /// </summary>
    private (int Start, int End)? ByTurns(int i)
    {
        if (Try(turns.Take(i), prompt: false) is not { } without || Try(turns.Take(i + 1), prompt: false) is not { } through) return null;
        if (!text.StartsWith(without, StringComparison.Ordinal) || !text.StartsWith(through, StringComparison.Ordinal)) return null;
        string prompt = Try(turns.Take(i), prompt: true) ?? without;
        int start = Math.Max(without.Length, CommonStart(prompt, through));
        return start <= through.Length ? (start, through.Length) : null;
    }

    private (int Start, int End)? Probed(int i)
    {
        try
        {
            return ByProbe(i);
        }
        catch (TemplateException e) when (e.Kind == TemplateErrorKind.Unsupported)
        {
            return null;
        }
    }

    private (int Start, int End) ByProbe(int i)
    {
        DictValue probe = Probing(i);
        string whole = Require([.. turns.Take(i), probe, .. turns.Skip(i + 1)], addGenerationPrompt, i);
        int at = whole.IndexOf(Probe, StringComparison.Ordinal);
        if (at < 0) throw Unknown(i);
        string before = whole[..at], after = whole[(at + Probe.Length)..];
        if (!text.StartsWith(before, StringComparison.Ordinal) || !text.EndsWith(after, StringComparison.Ordinal)
            || before.Length + after.Length > text.Length)
            throw Unknown(i);
        return (at - Lead(i, probe, before), text.Length - after.Length + Close(i, probe, after));
    }

    /// <summary>How much before its content is the assistant's already: what the template writes between the prompt and the
    /// content.</summary>
    private int Lead(int i, DictValue probe, string before)
    {
        string alone = Require([.. turns.Take(i), probe], prompt: false, i);
        int at = alone.IndexOf(Probe, StringComparison.Ordinal);
        if (at < 0 || Try(turns.Take(i), prompt: true) is not { } prompt) throw Unknown(i);
        string lead = alone[CommonStart(alone[..at], prompt)..at];
        return CommonEnd(lead, before);
    }

    /// <summary>How much after its content is still the assistant's: what closes the turn.</summary>
    private int Close(int i, DictValue probe, string after)
    {
        List<DictValue> alone = [.. turns.Take(i), probe];
        string close = AfterProbe(Require(alone, prompt: false, i), i);
        if (after.StartsWith(close, StringComparison.Ordinal)) return close.Length;
        // The last turn is closed in another way than those before: the prompt after it shows how those are.
        string next = AfterProbe(Require(alone, prompt: true, i), i);
        if (Try(turns.Take(i), prompt: true) is { } prompt && Try(turns.Take(i), prompt: false) is { } without
            && prompt.StartsWith(without, StringComparison.Ordinal))
        {
            string opening = prompt[without.Length..];
            if (opening.Length > 0 && next.EndsWith(opening, StringComparison.Ordinal)
                && after.StartsWith(next[..^opening.Length], StringComparison.Ordinal))
                return next.Length - opening.Length;
        }
        return CommonStart(close, after);
    }

    private string AfterProbe(string rendered, int i)
    {
        int at = rendered.IndexOf(Probe, StringComparison.Ordinal);
        return at < 0 ? throw Unknown(i) : rendered[(at + Probe.Length)..];
    }

    // A turn of content alone, as near to the one that it stands for as can be: calls are taken away with what they would write.
    private DictValue Probing(int i)
    {
        DictValue probe = new() { ["role"] = "assistant", ["content"] = Probe };
        foreach ((object? key, object? value) in turns[i].Pairs)
            if (key is not ("role" or "content" or "tool_calls" or "reasoning_content" or "thinking" or "reasoning")) probe[key] = value;
        return probe;
    }

    private string? Try(IEnumerable<DictValue> some, bool prompt)
    {
        try
        {
            return renderer.Render(some, prompt).Text;
        }
        catch (TemplateException e) when (e.Kind is not (TemplateErrorKind.Limit or TemplateErrorKind.Recursion))
        {
            return null;
        }
    }

    private string Require(IEnumerable<DictValue> some, bool prompt, int i) => Try(some, prompt) ?? throw Unknown(i);

    private static TemplateException Unknown(int i) => new(
        TemplateErrorKind.Unsupported,
        $"which of the text the assistant wrote in turn {i + 1} cannot be told by rendering parts of the conversation; "
            + "mark it in the template with {% generation %} and {% endgeneration %}");

    private static int CommonStart(string left, string right) => left.AsSpan().CommonPrefixLength(right);

    private static int CommonEnd(string left, string right)
    {
        int count = 0;
        while (count < left.Length && count < right.Length && left[^(count + 1)] == right[^(count + 1)]) count++;
        return count;
    }
}
