namespace Dataflow.Text.Tokenizers;

/// <summary>Cuts a text into what it finds and what lies between.</summary>
internal interface IPattern
{
    /// <summary>
    /// What it does at the first letters of lines: whether a part always ends there and the parts of either side are those of that side
    /// alone, or the place is always within what lies between two matches.
    /// </summary>
    LineStartEffect AtLineStarts { get; }

    /// <summary>Adds the parts in order; together they are the whole text.</summary>
    void Find(ReadOnlySpan<char> text, List<Match> matches);
}
