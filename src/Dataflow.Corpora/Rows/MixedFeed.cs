using System.Globalization;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>
/// Rows of several data, by weight: the next row is of the data that lacks most of its share so far, the first of them where several do.
/// So shares hold after any number of rows, not only in the mean.
/// </summary>
public sealed class MixedFeed : IRowFeed
{
    private readonly (DocumentFeed Feed, double Share)[] feeds;
    private readonly long[] taken;
    private readonly StepRows step;

    /// <summary>A mixture at its beginning.</summary>
    /// <param name="feeds">The data with their weights, which need not sum to 1.</param>
    /// <param name="settings">Of all of them.</param>
    public MixedFeed(IReadOnlyList<(DocumentFeed Feed, double Weight)> feeds, RowSettings settings)
    {
        double sum = feeds.Sum(f => f.Weight);
        this.feeds = [.. feeds.Select(f => (f.Feed, f.Weight / sum))];
        step = new StepRows(settings);
        taken = new long[feeds.Count];
    }

    /// <inheritdoc/>
    public string Position => string.Join(';', feeds.Select((f, i) => string.Create(
        CultureInfo.InvariantCulture, $"{taken[i]}@{f.Feed.Position}")));

    /// <inheritdoc/>
    public void Seek(string position)
    {
        string[] parts = position.Split(';');
        if (parts.Length != feeds.Length)
        {
            throw new UserErrorException($"'{position}' is a position in {parts.Length} data, and there are {feeds.Length}");
        }

        for (int i = 0; i < parts.Length; i++)
        {
            string[] halves = parts[i].Split('@');
            if (halves.Length != 2 || !long.TryParse(halves[0], NumberStyles.None, CultureInfo.InvariantCulture, out taken[i]))
            {
                throw new UserErrorException($"'{parts[i]}' is no position in a mixture");
            }

            feeds[i].Feed.Seek(halves[1]);
        }
    }

    /// <inheritdoc/>
    public ITokenSource Next(int rows) => step.Take(rows, buffer =>
    {
        int chosen = Choose();
        feeds[chosen].Feed.Fill(buffer);
        taken[chosen]++;
    });

    private int Choose()
    {
        long after = taken.Sum() + 1;
        int best = 0;
        double most = double.NegativeInfinity;
        for (int i = 0; i < feeds.Length; i++)
        {
            if (feeds[i].Share * after - taken[i] is var lacking && lacking > most)
            {
                (best, most) = (i, lacking);
            }
        }

        return best;
    }
}
