using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>
/// The rows of training, one after the other without end. Which row is the n-th is fixed by the data and the settings; where the feed
/// stands
/// is a short text, from which another goes on with the same rows.
/// </summary>
public interface IRowFeed
{
    /// <summary>Where it stands: before the row that comes next.</summary>
    string Position { get; }

    /// <summary>Goes to where a feed of the same data and settings stood.</summary>
    /// <exception cref="Dataflow.Model.UserErrorException">It is no position of this data.</exception>
    void Seek(string position);

    /// <summary>The rows that come next.</summary>
    /// <param name="rows">How many.</param>
    /// <returns>They, as a source of so many rows, until the next call.</returns>
    /// <exception cref="Dataflow.Model.UserErrorException">The data cannot be read.</exception>
    ITokenSource Next(int rows);
}
