namespace Dataflow.Oracle.Tests;

/// <summary>Rows of tokens: whole ones, packed documents, short ones.</summary>
internal static class RandomRows
{
    /// <summary>Rows whose first one has at least four tokens that follow each other, and as many targets.</summary>
    public static IEnumerable<PackedRow> Of(Random random, int vocabulary, int seqlen, int count)
    {
        bool packed = random.Next(2) == 0, shortened = random.Next(3) == 0;
        for (int row = 0; row < count; row++)
        {
            int[] tokens = [.. Enumerable.Range(0, seqlen + 1).Select(_ => random.Next(vocabulary))];
            int inputs = shortened && random.Next(2) == 0 ? random.Next(5, seqlen) : seqlen;
            yield return new PackedRow(tokens, inputs, packed && random.Next(4) > 0 ? Cut(random, inputs) : null);
        }
    }

    private static int[] Cut(Random random, int length)
    {
        var documents = new List<int> { random.Next(4, length + 1) };
        for (int left = length - documents[0]; left > 0; left -= documents[^1])
        {
            documents.Add(random.Next(1, left + 1));
        }

        return [.. documents.Order().Select((d, i) => (d, Key: random.Next())).OrderBy(d => d.Key).Select(d => d.d)];
    }
}
