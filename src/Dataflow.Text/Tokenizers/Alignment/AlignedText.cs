using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// A text under change that knows of each of its UTF-16 units which code points of the original it stands for. The rules by which
/// changes move that knowledge are those of the Rust library, whose offsets are what users compare with: a replaced code point takes
/// the place of the one it replaces, a new one that of the one before it.
/// </summary>
internal sealed class AlignedText
{
    private AlignedText(string text, CodePointRange[] places, int start, int end)
    {
        Text = text;
        Places = places;
        Start = start;
        End = end;
    }

    /// <summary>As it stands now.</summary>
    public string Text { get; private set; }

    /// <summary>For each UTF-16 unit, what of the original it stands for.</summary>
    public CodePointRange[] Places { get; private set; }

    /// <summary>Where its original begins in the whole original, in code points.</summary>
    public int Start { get; }

    /// <summary>Where its original ends.</summary>
    public int End { get; }

    /// <summary>Whether what it begins with stands for nothing of the original: then even a change to the same text shows.</summary>
    public bool BeginsWithNothing => Places.Length > 0 && Places[0].Start == Places[0].End;

    /// <summary>A text that nothing has changed.</summary>
    public static AlignedText Of(string text)
    {
        var places = new CodePointRange[text.Length];
        int at = 0;
        for (int i = 0; i < text.Length; at++)
        {
            CodePoints.At(text, i, out int length);
            places.AsSpan(i, length).Fill(new(at, at + 1));
            i += length;
        }

        return new(text, places, 0, at);
    }

    /// <summary>A part of it, as it stands now.</summary>
    public AlignedText Slice(int start, int end)
    {
        var original = start == end ? new CodePointRange(Start + start, Start + end) : new(Places[start].Start, Places[end - 1].End);
        return start == 0 && end == Text.Length && original.Start == Start && original.End == End
            ? this
            : new(Text[start..end], Places[start..end], original.Start, original.End);
    }

    /// <summary>The original of a part of it.</summary>
    public CodePointRange Original(int start, int end) =>
        start == end ? new(Start + start, Start + end) : new(Places[start].Start, Places[end - 1].End);

    /// <summary>Changes the whole.</summary>
    /// <param name="changes">What it is now.</param>
    /// <param name="removed">How many code points at its beginning are gone.</param>
    public void Transform(IEnumerable<Change> changes, int removed)
    {
        // The library finds the part to change by the original: what has no original at the beginning stays.
        if (Start == End)
        {
            Transform(0, 0, changes, removed);
            return;
        }

        int first = -1;
        int last = -1;
        for (int i = 0; i < Places.Length && Places[i].End <= End; i++)
        {
            if (first < 0 && Places[i].Start >= Start && Places[i].Start != Places[i].End)
            {
                first = i;
            }

            last = i + 1;
        }

        if (first >= 0 || last >= 0)
        {
            first = first < 0 ? last : first;
            Transform(first, Math.Max(first, last), changes, removed);
        }
    }

    /// <summary>Changes a part.</summary>
    /// <param name="start">Its first UTF-16 unit.</param>
    /// <param name="end">The one after its last.</param>
    /// <param name="changes">What it is now.</param>
    /// <param name="removed">How many code points at its beginning are gone.</param>
    public void Transform(int start, int end, IEnumerable<Change> changes, int removed)
    {
        string old = Text;
        int taken = Skip(old, start, end, removed);
        var text = new StringBuilder(old.Length + 8).Append(old, 0, start);
        var places = new List<CodePointRange>(old.Length + 8);
        places.AddRange(Places.AsSpan(0, start));
        Span<char> units = stackalloc char[2];
        foreach (var (codePoint, step) in changes)
        {
            var place = step > 0
                ? taken < 1 ? new(Start, Start) : Places[taken - 1]
                : Places.Length == 0 ? new(Start, Start) : Places[Math.Min(taken, Places.Length - 1)];
            if (step <= 0)
            {
                taken = Skip(old, taken, end, 1 - step);
            }

            int length = new Rune(codePoint).EncodeToUtf16(units);
            text.Append(units[..length]);
            for (int i = 0; i < length; i++)
            {
                places.Add(place);
            }
        }

        text.Append(old, end, old.Length - end);
        places.AddRange(Places.AsSpan(end));
        Text = text.ToString();
        Places = [.. places];
    }

    /// <summary>Puts a text before it, unless it is empty. The first code point put there takes the place of the first one.</summary>
    public void Prepend(string prefix)
    {
        if (Text.Length == 0 || prefix.Length == 0)
        {
            return;
        }

        int first = CodePoints.At(Text, 0, out int length);
        var changes = prefix.EnumerateRunes().Select((r, i) => new Change(r.Value, i == 0 ? 0 : 1)).Append(new(first, 1)).ToList();
        Transform(0, length, changes, 0);
    }

    /// <summary>Keeps the code points for which something holds.</summary>
    public void Filter(Func<int, bool> keep)
    {
        var changes = new List<Change>(Text.Length);
        int removed = 0;
        int atStart = 0;
        foreach (var rune in Text.EnumerateRunes())
        {
            if (!keep(rune.Value))
            {
                removed++;
                continue;
            }

            Removed();
            changes.Add(new(rune.Value, 0));
        }

        Removed();
        Transform(changes, atStart);

        void Removed()
        {
            if (changes.Count == 0)
            {
                atStart = removed;
            }
            else if (removed > 0)
            {
                changes[^1] = new(changes[^1].CodePoint, -removed);
            }

            removed = 0;
        }
    }

    /// <summary>Replaces each code point by some.</summary>
    public void Map(Func<int, string> map)
    {
        var changes = new List<Change>(Text.Length);
        foreach (var rune in Text.EnumerateRunes())
        {
            int step = 0;
            foreach (var mapped in map(rune.Value).EnumerateRunes())
            {
                changes.Add(new(mapped.Value, step));
                step = 1;
            }
        }

        Transform(changes, 0);
    }

    /// <summary>Spells it by the characters that stand for bytes.</summary>
    public void SpellBytes()
    {
        if (BeginsWithNothing)
        {
            Map(ByteAlphabet.Spelled);
            return;
        }

        char[] spelled = new char[Text.Length * 3];
        var places = new CodePointRange[Text.Length * 3];
        int count = 0;
        for (int at = 0; at < Text.Length;)
        {
            CodePoints.At(Text, at, out int length);
            int bytes = ByteAlphabet.Spell(Text.AsSpan(at, length), spelled.AsSpan(count));
            places.AsSpan(count, bytes).Fill(Places[at]);
            count += bytes;
            at += length;
        }

        Text = new(spelled, 0, count);
        Places = places[..count];
    }

    /// <summary>Replaces what a pattern finds.</summary>
    public void Replace(IPattern pattern, string content)
    {
        string old = Text;
        var matches = new List<Match>();
        pattern.Find(old, matches);
        if (!matches.Exists(m => m.IsMatch))
        {
            return;
        }

        // One pass: a new code point takes the place of the last one that it replaces, or of the one before an empty match.
        var text = new StringBuilder(old.Length);
        var places = new List<CodePointRange>(old.Length);
        foreach (var (start, end, isMatch) in matches)
        {
            if (!isMatch)
            {
                text.Append(old, start, end - start);
                places.AddRange(Places.AsSpan(start, end - start));
                continue;
            }

            var place = end > start ? Places[end - 1] : places.Count > 0 ? places[^1] : new(Start, Start);
            text.Append(content);
            for (int i = 0; i < content.Length; i++)
            {
                places.Add(place);
            }
        }

        Text = text.ToString();
        Places = [.. places];
    }

    private static int Skip(string text, int at, int end, int count)
    {
        for (; count > 0 && at < end; count--)
        {
            CodePoints.At(text, at, out int length);
            at += length;
        }

        return at;
    }
}
