using System.Text;

namespace Dataflow;

/// <summary>
/// The text of a continuation, piece by piece, up to the first of some texts at which it ends. What may be the beginning of one of them is
/// held back until it is sure.
/// </summary>
internal sealed class StopTexts(IReadOnlyList<string> stops)
{
    private readonly StringBuilder held = new();

    /// <summary>It has come to one of them.</summary>
    public bool IsReached { get; private set; }

    /// <summary>Takes a piece, and gives what is sure.</summary>
    public string Next(string piece)
    {
        held.Append(piece);
        string text = held.ToString();
        int end = -1;
        foreach (string stop in stops)
        {
            int at = text.IndexOf(stop, StringComparison.Ordinal);
            end = at >= 0 && (end < 0 || at < end) ? at : end;
        }

        IsReached = end >= 0;
        int sure = IsReached ? end : text.Length - LongestBeginning(text);
        held.Remove(0, IsReached ? held.Length : sure);
        return text[..sure];
    }

    /// <summary>What was held back, once no more comes.</summary>
    public string Finish()
    {
        string text = held.ToString();
        held.Clear();
        return text;
    }

    /// <summary>How much of the text's end is how one of them begins.</summary>
    private int LongestBeginning(string text)
    {
        int longest = 0;
        foreach (string stop in stops)
        {
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                {
                    longest = length;
                }
            }
        }

        return longest;
    }
}
