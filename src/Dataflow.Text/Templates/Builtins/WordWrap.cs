using System.Text.RegularExpressions;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Lines broken at spaces (and hyphens) so that none is wider than asked, as Python's textwrap breaks them.</summary>
internal sealed class WordWrap(int width, bool breakLongWords, bool breakOnHyphens)
{
    private const string Spaces = "\t\n\v\f\r ";
    private const string WordMark = @"[\w!""'&.,?]";
    private const string Letter = @"[^\d\W]";
    private const string NotSpace = @"[^\t\n\v\f\r ]";

    private static readonly Regex Pieces = new(
        $@"[\t\n\v\f\r ]+|(?<={WordMark})-{{2,}}(?=\w)|{NotSpace}+?"
        + $@"(?:-(?:(?<={Letter}{{2}}-)|(?<={Letter}-{WordMark}-))(?={Letter}-?{Letter})"
        + $@"|(?=[\t\n\v\f\r ]|\z)|(?<={WordMark})(?=-{{2,}}\w))",
        RegexOptions.CultureInvariant);

    public static object? Apply(Invocation call)
    {
        string text = Equality.Text(call[0]) ?? throw (call[0] is Undefined u ? u.Fault() : new TemplateException(
            TemplateErrorKind.Attribute, $"'{TypeNames.Of(call[0])}' object has no attribute 'splitlines'"));
        string between = call.Or(3, null) is { } given
            ? Equality.Text(given)
                ?? throw new TemplateException(TemplateErrorKind.Attribute, $"'{TypeNames.Of(given)}' object has no attribute 'join'")
            : "\n";
        long width = call.Index(1, 79);
        if (width <= 0) throw Errors.Value($"invalid width {width} (must be > 0)");
        WordWrap wrap = new(
            (int)Math.Min(width, int.MaxValue), !call.Has(2) || call.Truth(2), !call.Has(4) || call.Truth(4));
        Budget.Spend(text.Length);
        List<string> lines = [.. StringSplitting.Lines(text, keepEnds: false).Select(line => string.Join(between, wrap.Lines(line)))];
        Budget.Text(lines.Sum(l => l.Length + (long)between.Length));
        return string.Join(between, lines);
    }

    private List<string> Lines(string text)
    {
        Stack<string> chunks = new(Chunks(text).Reverse());
        List<string> lines = [];
        while (chunks.Count > 0)
        {
            List<string> line = [];
            int length = 0;
            if (lines.Count > 0 && IsBlank(chunks.Peek())) chunks.Pop();
            while (chunks.Count > 0 && length + CodePoints.Count(chunks.Peek()) <= width)
            {
                Budget.Step();
                length += CodePoints.Count(chunks.Peek());
                line.Add(chunks.Pop());
            }
            if (chunks.Count > 0 && CodePoints.Count(chunks.Peek()) > width) length += BreakLong(chunks, line, length);
            if (line.Count > 0 && IsBlank(line[^1])) line.RemoveAt(line.Count - 1);
            if (line.Count > 0) lines.Add(string.Concat(line));
        }
        return lines;
    }

    private int BreakLong(Stack<string> chunks, List<string> line, int length)
    {
        Budget.Text(chunks.Peek().Length);
        int room = width < 1 ? 1 : width - length;
        if (!breakLongWords)
        {
            if (line.Count == 0) line.Add(chunks.Pop());
            return 0;
        }
        string chunk = chunks.Pop();
        int end = room;
        if (breakOnHyphens && CodePoints.Count(chunk) > room)
        {
            int hyphen = chunk[..CodePoints.Offset(chunk, room)].LastIndexOf('-');
            if (hyphen > 0 && chunk[..hyphen].Any(c => c != '-')) end = CodePoints.Count(chunk.AsSpan(0, hyphen)) + 1;
        }
        int at = CodePoints.Offset(chunk, end);
        line.Add(chunk[..at]);
        chunks.Push(chunk[at..]);
        return 0;
    }

    private IEnumerable<string> Chunks(string text)
    {
        if (!breakOnHyphens)
        {
            for (int start = 0; start < text.Length;)
            {
                bool blank = Spaces.Contains(text[start]);
                int end = start;
                while (end < text.Length && Spaces.Contains(text[end]) == blank) end++;
                yield return text[start..end];
                start = end;
            }
            yield break;
        }
        int at = 0;
        foreach (Match match in Pieces.Matches(text))
        {
            if (match.Index > at) yield return text[at..match.Index];
            if (match.Length > 0) yield return match.Value;
            at = match.Index + match.Length;
        }
        if (at < text.Length) yield return text[at..];
    }

    // Python's strip here takes all of Unicode's white space.
    private static bool IsBlank(string chunk) => chunk.All(Syntax.Characters.IsSpace);
}
