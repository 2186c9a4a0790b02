using System.Text;

namespace Dataflow.Cli;

/// <summary>A message as it is shown: one line of bounded length, whatever names from files are in it.</summary>
internal static class Sentence
{
    private const int Longest = 2000;
    private const int Tail = 400;

    /// <summary>The line.</summary>
    public static string Of(string message)
    {
        // What is to be done is at the end: of a message that is too long the middle goes.
        string shown =
            message.Length <= Longest
                ? message
                : $"{message.AsSpan(0, Longest - Tail)} ... ({message.Length - Longest:N0} characters more) ... "
                    + $"{message.AsSpan(message.Length - Tail)}";
        var text = new StringBuilder(shown.Length);
        foreach (var rune in shown.ReplaceLineEndings(" ").EnumerateRunes())
        {
            text.Append(IsShown(rune) ? rune : new Rune('?'));
        }

        return text.ToString();
    }

    /// <summary>No control, no half of a pair, and none of the marks that turn the direction of what follows.</summary>
    private static bool IsShown(Rune rune) => !Rune.IsControl(rune) && rune != Rune.ReplacementChar
        && rune.Value is not (0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069));
}
