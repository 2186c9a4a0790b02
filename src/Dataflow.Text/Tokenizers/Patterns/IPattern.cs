namespace Dataflow.Text.Tokenizers;

/// <summary>Cuts a text into what it finds and what lies between.</summary>
internal interface IPattern
{
    /// <summary>Adds the parts in order; together they are the whole text.</summary>
    void Find(ReadOnlySpan<char> text, List<Match> matches);
}
