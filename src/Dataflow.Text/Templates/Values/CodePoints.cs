using System.Text;
using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Values;

/// <summary>Text by its characters (code points), as Python counts them, where .NET counts halves of the rarer ones.</summary>
internal static class CodePoints
{
    /// <summary>Whether each char is a character of its own.</summary>
    public static bool AreChars(ReadOnlySpan<char> text) => text.IndexOfAnyInRange('\ud800', '\udfff') < 0;

    public static int Count(ReadOnlySpan<char> text) => Tokenizers.CodePoints.CountOf(text);

    /// <summary>Where in the text the character of this index begins.</summary>
    public static int Offset(string text, int index)
    {
        Budget.Spend(text.Length / 64);
        if (AreChars(text)) return index;
        Budget.Spend(index / 4);
        int at = 0;
        for (int i = 0; i < index; i++) at += LengthAt(text, at);
        return at;
    }

    public static string At(string text, int index)
    {
        int at = Offset(text, index);
        return text.Substring(at, LengthAt(text, at));
    }

    public static List<string> Split(string text)
    {
        Budget.Spend(text.Length);
        List<string> characters = new(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int length = LengthAt(text, at);
            characters.Add(length == 1 ? OneChar(text[at]) : text.Substring(at, length));
            at += length;
        }
        return characters;
    }

    public static int[] Values(string text)
    {
        Budget.Spend(text.Length);
        List<int> values = new(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int length = LengthAt(text, at);
            values.Add(length == 2 ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at]);
            at += length;
        }
        return [.. values];
    }

    /// <summary>Which comes first, by the characters' numbers.</summary>
    public static int Compare(string left, string right)
    {
        int shorter = Math.Min(left.Length, right.Length);
        Budget.Spend(shorter / 64);
        int at = left.AsSpan(0, shorter).CommonPrefixLength(right.AsSpan(0, shorter));
        if (at == shorter) return left.Length.CompareTo(right.Length);
        char l = left[at], r = right[at];
        // Halves are numbered below the last of the whole characters, but what they make is above them all.
        if (char.IsSurrogate(l) != char.IsSurrogate(r)) return char.IsSurrogate(l) ? 1 : -1;
        return l.CompareTo(r);
    }

    public static string Reverse(string text)
    {
        StringBuilder reversed = new(text.Length);
        for (int end = text.Length; end > 0;)
        {
            int length = end > 1 && char.IsLowSurrogate(text[end - 1]) && char.IsHighSurrogate(text[end - 2]) ? 2 : 1;
            reversed.Append(text, end - length, length);
            end -= length;
        }
        return reversed.ToString();
    }

    private static int LengthAt(string text, int at) =>
        char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;

    private static readonly string[] Latin = [.. Enumerable.Range(0, 256).Select(c => ((char)c).ToString())];

    private static string OneChar(char c) => c < 256 ? Latin[c] : c.ToString();
}
