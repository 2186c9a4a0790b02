using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Simulation;

/// <summary>How fast one direction of a link has to be for a step not to wait for it.</summary>
/// <param name="Direction">Which one.</param>
/// <param name="Has">GB/s (10^9 bytes) of a copy alone, on the machine.</param>
/// <param name="StallsBelow">GB/s of a copy alone below which the step takes over 1% longer than with a link that is never awaited; above
/// <paramref name="Has"/> where the step waits for it now.</param>
public readonly record struct LinkNeed(LinkDirection Direction, double Has, double StallsBelow)
{
    private const double Longer = 1.01;

    // Rates are tried from 1/1024 to 1024 times the machine's, to about 1%.
    private const int Octaves = 10;
    private const int Halvings = 11;

    /// <summary>The step waits for this link now.</summary>
    public bool IsShort => Has < StallsBelow;

    /// <summary>Of each direction that copies use.</summary>
    /// <param name="costs">Per op.</param>
    /// <param name="rates">The machine's links.</param>
    /// <param name="stepNanoseconds">The step's length with links of other rates; all else as it is.</param>
    public static ImmutableArray<LinkNeed> Of(ReadOnlySpan<OpCost> costs, LinkRates rates, Func<LinkRates, double> stepNanoseconds)
    {
        var needs = ImmutableArray.CreateBuilder<LinkNeed>();
        for (int link = 0; link < rates.Links.Length; link++)
        {
            var direction = new LinkDirection(link);
            if (IsUsed(direction, costs))
            {
                double StepAt(double octave) => stepNanoseconds(Scaled(rates, direction, Math.Pow(2, octave)));
                double most = Longer * StepAt(Octaves);
                double slow = -Octaves, fast = Octaves;
                for (int i = 0; i < Halvings; i++)
                {
                    double middle = (slow + fast) / 2;
                    (slow, fast) = StepAt(middle) > most ? (middle, fast) : (slow, middle);
                }

                double has = rates.Links[link].Alone;
                needs.Add(new LinkNeed(direction, has, has * Math.Pow(2, fast)));
            }
        }

        return needs.ToImmutable();
    }

    private static bool IsUsed(LinkDirection direction, ReadOnlySpan<OpCost> costs)
    {
        foreach (ref readonly var cost in costs)
        {
            if (cost.Link == direction.Index && cost.Bytes > 0)
            {
                return true;
            }
        }

        return false;
    }

    private static LinkRates Scaled(LinkRates rates, LinkDirection direction, double factor)
    {
        var rate = rates.Links[direction.Index];
        return rates with { Links = rates.Links.SetItem(direction.Index, new LinkRate(rate.Alone * factor, rate.BothBusy * factor)) };
    }
}
