using System.Runtime.InteropServices;

namespace Dataflow.Corpora;

/// <summary>Documents as ids, one after the other, as they are read: for looking at some of them.</summary>
public static class EncodedDocuments
{
    // A document of gigabytes is shown in parts.
    private const int MostIds = 1 << 20;

    /// <summary>The documents of sources.</summary>
    /// <param name="sources">The sources.</param>
    /// <param name="rules">How they become ids.</param>
    /// <returns>Ids, and for each whether it is trained; null where all are. Documents without tokens are left out.</returns>
    /// <exception cref="Dataflow.Model.UserErrorException">A source cannot be used.</exception>
    public static IEnumerable<(IReadOnlyList<int> Ids, byte[]? Weights)> Of(SourceSet sources, EncodingRules rules)
    {
        var encoder = new DocumentEncoder(rules);
        List<int> ids = [];
        foreach (var passage in sources.Read())
        {
            var encoded = encoder.Encode(passage);
            ids.AddRange(CollectionsMarshal.AsSpan(encoded.Ids));
            if (passage.Ends || ids.Count >= MostIds)
            {
                if (ids.Count > 0)
                {
                    yield return (ids, encoded.Weights);
                }

                ids = [];
            }
        }
    }
}
