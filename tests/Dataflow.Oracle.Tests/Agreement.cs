namespace Dataflow.Oracle.Tests;

/// <summary>What was compared and what was found: the worst of each kind against its bound, and all that is beyond it.</summary>
public sealed class Agreement
{
    private readonly SortedDictionary<string, (double Share, string Where)> worst = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, (double Ours, double Own)> sums = new(StringComparer.Ordinal);
    private readonly List<string> faults = [];

    /// <summary>All that disagrees.</summary>
    public IReadOnlyList<string> Faults => faults;

    /// <summary>The worst share of its bound that each kind of comparison came to, and where.</summary>
    public string Worst => string.Join("\n", worst.Select(w => $"{w.Key}: at most {w.Value.Share:f3} of its bound ({w.Value.Where})"));

    /// <summary>An error and what it may be; one that is no number is a fault.</summary>
    public void Hold(string kind, OracleCase one, string what, double error, double bound)
    {
        string where = $"{what}, seed {one.Seed}";
        if (!Holds(kind, where, error, bound))
        {
            faults.Add($"{kind}: {where} is off by {error:g3}, bound {bound:g3}: {one}");
        }
    }

    /// <summary>
    /// An error and TorchSharp's own where both are single roundings, whose ratio is chance: what counts is their squares over all cases.
    /// </summary>
    public void Add(string kind, double error, double own)
    {
        var before = sums.GetValueOrDefault(kind);
        sums[kind] = (before.Ours + (error * error), before.Own + (own * own));
    }

    /// <summary>Root mean squares of what was added may be at most so many times TorchSharp's own.</summary>
    public void HoldSums(double times)
    {
        foreach (var (kind, sum) in sums)
        {
            double ours = Math.Sqrt(sum.Ours), bound = times * Math.Sqrt(sum.Own);
            if (!Holds(kind, "all seeds", ours, bound))
            {
                faults.Add($"{kind} over all seeds: {ours:g3}, bound {bound:g3}");
            }
        }
    }

    private bool Holds(string kind, string where, double error, double bound)
    {
        double share = error == 0 ? 0 : error / bound;
        if (!worst.TryGetValue(kind, out var before) || !(share <= before.Share))
        {
            worst[kind] = (share, where);
        }

        return share <= 1;
    }

    /// <summary>|got - want| / |want - start|, start being 0 where there is none.</summary>
    public static double RelativeL2(IReadOnlyList<double> got, IReadOnlyList<double> want, IReadOnlyList<float>? start = null)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < want.Count; i++)
        {
            difference += Math.Pow(got[i] - want[i], 2);
            norm += Math.Pow(want[i] - (start?[i] ?? 0), 2);
        }

        return difference == 0 ? 0 : Math.Sqrt(difference / norm);
    }
}
