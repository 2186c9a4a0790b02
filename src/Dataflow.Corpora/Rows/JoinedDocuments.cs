using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>The documents of several data, one after the other.</summary>
public sealed class JoinedDocuments : ITokenizedDocuments
{
    private readonly ITokenizedDocuments[] parts;
    private readonly long[] firsts;

    /// <summary>Joins them; they are disposed of together.</summary>
    /// <param name="parts">Of one kind; complete but for the last.</param>
    /// <exception cref="UserErrorException">They are of several kinds, or have none.</exception>
    public JoinedDocuments(IReadOnlyList<ITokenizedDocuments> parts)
    {
        this.parts = [.. parts];
        firsts = new long[parts.Count];
        for (int i = 1; i < firsts.Length; i++)
        {
            firsts[i] = firsts[i - 1] + parts[i - 1].Await(long.MaxValue);
        }

        if (parts.FirstOrDefault(p => p.Kind != parts[0].Kind) is { } other)
        {
            throw new UserErrorException(
                $"{parts[0].Name} has {DocumentKinds.NameOf(parts[0].Kind)}s and {other.Name} {DocumentKinds.NameOf(other.Kind)}s, whose "
                    + $"rows "
                    + "are made by other rules; mix them with --weights, or train on one of them");
        }
    }

    /// <inheritdoc/>
    public string Name => string.Join(", ", parts.Select(p => p.Name));

    /// <inheritdoc/>
    public string Finding => string.Join("; ", parts.Select(p => p.Finding).Distinct());

    /// <inheritdoc/>
    public DocumentKind Kind => parts[0].Kind;

    /// <inheritdoc/>
    public int IdCount => parts.Max(p => p.IdCount);

    /// <inheritdoc/>
    public bool HasWeights => parts.Any(p => p.HasWeights);

    /// <inheritdoc/>
    public string Fingerprint => string.Join(' ', parts.Select(p => p.Fingerprint));

    /// <inheritdoc/>
    public long Await(long documents)
    {
        long before = firsts[^1];
        return before + parts[^1].Await(documents == long.MaxValue ? documents : Math.Max(0, documents - before));
    }

    /// <inheritdoc/>
    public long LengthOf(long document) => PartOf(document, out long own).LengthOf(own);

    /// <inheritdoc/>
    public void Read(long document, long first, Span<int> ids) => PartOf(document, out long own).Read(own, first, ids);

    /// <inheritdoc/>
    public void ReadWeights(long document, long first, Span<byte> weights)
    {
        var part = PartOf(document, out long own);
        if (part.HasWeights)
        {
            part.ReadWeights(own, first, weights);
        }
        else
        {
            weights.Fill(1);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in parts)
        {
            part.Dispose();
        }
    }

    private ITokenizedDocuments PartOf(long document, out long own)
    {
        int part = parts.Length - 1;
        while (firsts[part] > document)
        {
            part--;
        }

        own = document - firsts[part];
        return parts[part];
    }
}
