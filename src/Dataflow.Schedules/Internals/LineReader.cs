using System.Globalization;
using System.Text;

namespace Dataflow.Schedules.Internals;

/// <summary>A cursor over one line of text. Every failure says where it is, what was found and what was expected.</summary>
internal ref struct LineReader(ReadOnlySpan<char> line, int number)
{
    private readonly ReadOnlySpan<char> line = line;
    private int position;

    /// <summary>Only blanks are left (which are skipped).</summary>
    public bool AtEnd
    {
        get
        {
            while (position < line.Length && char.IsWhiteSpace(line[position]))
            {
                position++;
            }

            return position == line.Length;
        }
    }

    /// <summary>Passes over a character if it comes next.</summary>
    public bool TryRead(char c)
    {
        bool found = position < line.Length && line[position] == c;
        position += found ? 1 : 0;
        return found;
    }

    /// <summary>Passes over a word if it comes next, followed by something that is not part of a name or an operand's role.</summary>
    public bool TryReadKeyword(string word)
    {
        _ = AtEnd;
        int end = position + word.Length;
        bool found = line[position..].StartsWith(word, StringComparison.Ordinal)
            && (end == line.Length || char.IsWhiteSpace(line[end]));
        position = found ? end : position;
        return found;
    }

    /// <summary>Passes over "word=" if it comes next.</summary>
    public bool TryReadLabel(string label)
    {
        _ = AtEnd;
        bool found = line[position..].StartsWith(label, StringComparison.Ordinal);
        position += found ? label.Length : 0;
        return found;
    }

    /// <summary>Passes over a character that has to come next.</summary>
    public void Expect(char c, string expected)
    {
        if (!TryRead(c))
        {
            throw Error(expected);
        }
    }

    /// <summary>The line has to end here.</summary>
    public void ExpectEnd(string expected = "the end of the line")
    {
        if (!AtEnd)
        {
            throw Error(expected);
        }
    }

    /// <summary>A quoted name comes next.</summary>
    public readonly bool IsQuoted => position < line.Length && line[position] == '"';

    /// <summary>Reads a plain name.</summary>
    public ReadOnlySpan<char> ReadPlain(string expected)
    {
        int start = position;
        while (position < line.Length && TextNames.IsPlain(line[position]))
        {
            position++;
        }

        return position > start ? line[start..position] : throw Error(expected);
    }

    /// <summary>Reads a plain or quoted name.</summary>
    public string ReadName(string expected)
    {
        _ = AtEnd;
        if (!TryRead('"'))
        {
            return ReadPlain(expected).ToString();
        }

        var text = new StringBuilder();
        while (!TryRead('"'))
        {
            text.Append(ReadQuotedCharacter());
        }

        return text.ToString();
    }

    /// <summary>Reads names joined by commas, as one text.</summary>
    public ReadOnlySpan<char> ReadList(string expected)
    {
        int start = position;
        do
        {
            _ = ReadPlain(expected);
        }
        while (TryRead(','));
        return line[start..position];
    }

    /// <summary>Reads a whole number.</summary>
    public long ReadLong(string expected)
    {
        int start = position;
        _ = TryRead('-');
        while (position < line.Length && char.IsAsciiDigit(line[position]))
        {
            position++;
        }

        if (!long.TryParse(line[start..position], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
        {
            position = start;
            throw Error(expected);
        }

        return value;
    }

    /// <summary>Reads a whole number of 32 bits.</summary>
    public int ReadInt(string expected)
    {
        int start = position;
        long value = ReadLong(expected);
        return value is >= int.MinValue and <= int.MaxValue ? (int)value : throw ErrorAt(start, expected);
    }

    /// <summary>Where the cursor is, for <see cref="ErrorAt"/>.</summary>
    public readonly int Position => position;

    /// <summary>The failure to find what was expected at the cursor.</summary>
    public readonly FormatException Error(string expected) => ErrorAt(position, expected);

    /// <summary>The failure to find what was expected at an earlier position.</summary>
    public readonly FormatException ErrorAt(int start, string expected)
    {
        int end = start;
        while (end < line.Length && !char.IsWhiteSpace(line[end]))
        {
            end++;
        }

        string found = start < line.Length ? $"'{line[start..Math.Max(end, start + 1)]}'" : "the end of the line";
        return new FormatException(string.Create(
            CultureInfo.InvariantCulture, $"line {number}, column {start + 1}: found {found}, expected {expected}"));
    }

    private char ReadQuotedCharacter()
    {
        if (position == line.Length)
        {
            throw Error("a closing quote");
        }

        char c = line[position++];
        if (c != '\\')
        {
            return c;
        }

        int start = position - 1;
        char escape = position < line.Length ? line[position++] : '\0';
        if (escape is '"' or '\\')
        {
            return escape;
        }

        if (escape == 'n')
        {
            return '\n';
        }

        if (escape != 'u' || line.Length - position < 4
            || !ushort.TryParse(line.Slice(position, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code))
        {
            throw ErrorAt(start, "an escape (\\\" \\\\ \\n \\uXXXX)");
        }

        position += 4;
        return (char)code;
    }
}
