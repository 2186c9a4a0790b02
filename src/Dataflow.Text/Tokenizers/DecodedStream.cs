namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The text of ids that come one by one, each piece as soon as it is sure. What is shown is always a beginning of what all ids together
/// decode to: U+FFFD at the end, which more bytes may complete, waits.
/// </summary>
public sealed class DecodedStream
{
    private const int LongWindow = 48;

    private readonly TokenCodec codec;
    private readonly bool skipsSpecial;
    private readonly List<int> window = [];
    private int anchored;
    private string shown = "";

    internal DecodedStream(TokenCodec codec, bool skipsSpecial) => (this.codec, this.skipsSpecial) = (codec, skipsSpecial);

    /// <summary>Takes an id and gives what can be shown now, which may be nothing.</summary>
    public string Next(int id)
    {
        window.Add(id);
        string stable = Text().TrimEnd('\uFFFD');
        if (!stable.StartsWith(shown, StringComparison.Ordinal))
        {
            return "";
        }

        string piece = stable[shown.Length..];
        shown = stable;
        Shorten(id);
        return piece;
    }

    /// <summary>What is left to show when no more ids come.</summary>
    public string Finish()
    {
        string whole = Text();
        int same = shown.AsSpan().CommonPrefixLength(whole);
        shown = whole;
        return whole[same..];
    }

    // What came after the id that the window begins with, decoded behind it.
    private string Text() => codec.Decode(window, skipsSpecial)[anchored..];

    // Where an id ends for good, the ids before it are not needed any more; what they gave is all shown.
    private void Shorten(int id)
    {
        if (window.Count < LongWindow || !codec.EndsFor(id))
        {
            return;
        }

        string alone = codec.Decode([id], skipsSpecial);
        string text = Text();
        if (alone.Length == 0 || alone.Contains('\uFFFD') || text.Length != shown.Length)
        {
            return;
        }

        shown = "";
        anchored = alone.Length;
        window.RemoveRange(0, window.Count - 1);
    }
}
