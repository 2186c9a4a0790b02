namespace Dataflow.Text.Tokenizers;

/// <summary>Splits a normalized text into pieces.</summary>
internal interface ISentencePieceModel
{
    /// <summary>Adds the pieces and their ids, in order.</summary>
    void Split(string text, List<(PieceRange Range, int Id)> pieces);
}
