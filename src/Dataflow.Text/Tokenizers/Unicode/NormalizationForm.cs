using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>One of Unicode's four forms, with what became of each code point.</summary>
internal sealed class NormalizationForm
{
    private readonly bool compatibly;
    private readonly bool composes;
    private readonly Lazy<CodePointSet> changeable;

    private NormalizationForm(bool compatibly, bool composes)
    {
        (this.compatibly, this.composes) = (compatibly, composes);
        changeable = new(Changeable);
    }

    /// <summary>Canonical decomposition.</summary>
    public static NormalizationForm D { get; } = new(false, false);

    /// <summary>Canonical decomposition, then composition.</summary>
    public static NormalizationForm C { get; } = new(false, true);

    /// <summary>Compatible decomposition.</summary>
    public static NormalizationForm CompatibleD { get; } = new(true, false);

    /// <summary>Compatible decomposition, then composition.</summary>
    public static NormalizationForm CompatibleC { get; } = new(true, true);

    /// <summary>Whether nothing in a text can change.</summary>
    public bool LeavesAlone(ReadOnlySpan<char> text)
    {
        var set = changeable.Value;
        for (int i = text.IndexOfAnyExceptInRange('\0', '\x7F'); i >= 0 && i < text.Length;)
        {
            if (set[CodePoints.At(text, i, out int length)])
            {
                return false;
            }

            i += length;
        }

        return true;
    }

    /// <summary>The form of a text: only what can change, with what stands before it, is looked at closely.</summary>
    public string Apply(string text)
    {
        // Of ASCII nothing changes.
        int first = text.AsSpan().IndexOfAnyExceptInRange('\0', '\x7F');
        if (first < 0)
        {
            return text;
        }

        var set = changeable.Value;
        StringBuilder? made = null;
        int done = 0;
        int before = Math.Max(0, first - 1);
        for (int i = before; i < text.Length;)
        {
            if (!set[CodePoints.At(text, i, out int length)])
            {
                before = i;
                i += length;
                continue;
            }

            int end = i + length;
            while (end < text.Length && set[CodePoints.At(text, end, out length)])
            {
                end += length;
            }

            made ??= new(text.Length);
            made.Append(text, done, before - done);
            foreach (var change in Changes(text[before..end]))
            {
                made.Append(new Rune(change.CodePoint).ToString());
            }

            done = before = i = end;
        }

        return made is null ? text : made.Append(text, done, text.Length - done).ToString();
    }

    /// <summary>The form of a text, and what became of each code point.</summary>
    public List<Change> Changes(string text)
    {
        var tables = NormalizationTables.Instance;
        var decomposed = new List<(byte Class, Change Change)>(text.Length);
        int pending = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (tables.Decomposition(rune.Value, compatibly) is not { } parts)
            {
                Add(rune.Value, 0);
                continue;
            }

            for (int i = 0; i < parts.Length; i++)
            {
                Add(parts[i], i == 0 ? 0 : 1);
            }
        }

        Sort(decomposed, pending);
        return composes ? Composed(decomposed) : [.. decomposed.Select(d => d.Change)];

        void Add(int codePoint, int step)
        {
            byte kind = tables.Class(codePoint);
            if (kind == 0)
            {
                Sort(decomposed, pending);
                pending = decomposed.Count + 1;
            }

            decomposed.Add((kind, new(codePoint, step)));
        }
    }

    private static void Sort(List<(byte Class, Change Change)> list, int from)
    {
        if (list.Count - from > 1)
        {
            var sorted = list[from..].OrderBy(d => d.Class).ToList();
            for (int i = 0; i < sorted.Count; i++)
            {
                list[from + i] = sorted[i];
            }
        }
    }

    private static List<Change> Composed(List<(byte Class, Change Change)> decomposed)
    {
        var tables = NormalizationTables.Instance;
        var made = new List<Change>(decomposed.Count);
        int starter = -1;
        int lastClass = -1;
        foreach (var (kind, change) in decomposed)
        {
            int composed = starter >= 0 && lastClass < kind ? tables.Composition(made[starter].CodePoint, change.CodePoint) : -1;
            if (composed >= 0)
            {
                made[starter] = new(composed, made[starter].Step + change.Step - 1);
                continue;
            }

            if (kind == 0)
            {
                starter = made.Count;
                lastClass = -1;
            }
            else if (starter >= 0)
            {
                lastClass = kind;
            }

            made.Add(change);
        }

        return made;
    }

    private CodePointSet Changeable()
    {
        var tables = NormalizationTables.Instance;
        var set = CodePointSet.Where(c => tables.Class(c) != 0
            || (tables.Decomposition(c, compatibly) is { } parts && !(composes && Recomposes(tables, c, parts))));
        if (composes)
        {
            foreach (int second in tables.Seconds)
            {
                set.Add(second);
            }

            set.Add(0x1161, 0x1175);
            set.Add(0x11A8, 0x11C2);
        }

        return set;
    }

    private static bool Recomposes(NormalizationTables tables, int codePoint, int[] parts)
    {
        if (tables.Class(parts[0]) != 0)
        {
            return false;
        }

        var list = parts.Select((p, i) => (tables.Class(p), new Change(p, i == 0 ? 0 : 1))).ToList();
        return Composed(list) is [var one] && one.CodePoint == codePoint;
    }
}
