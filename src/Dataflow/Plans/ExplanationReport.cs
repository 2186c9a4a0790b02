using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>Why a plan is as fast as it is, for people.</summary>
public static class ExplanationReport
{
    private const int CopiesShown = 3;

    // What changes less than this is printed as nothing.
    private const double LeastGain = 0.0005;

    /// <summary>All of it.</summary>
    /// <param name="output">Where it is written.</param>
    /// <param name="why">Where the step's time goes.</param>
    /// <param name="machine">What it was simulated on.</param>
    /// <param name="recipe">What a better recipe would take; null where there is none.</param>
    public static void Write(TextWriter output, PlanExplanation why, HardwareProfile machine, string? recipe)
    {
        output.WriteLine($"Why this plan, on {machine.Name}:");
        output.WriteLine($"  {Explanations.Sentence(why)}");
        output.WriteLine($"  recomputed    {why.RecomputedShare:0.0%} of the compute time");
        string most = string.Join(
            ", ",
            why.Exposed.Take(CopiesShown).Select(e => $"{e.Kind} {Explanations.WayOf(e.Direction)} {e.Nanoseconds / 1e9:0.000} s")
        );
        output.WriteLine($"  copies        {why.ExposedShare:0.0%} of the step is waiting for them{(most.Length > 0 ? $": {most}" : "")}");
        output.WriteLine(
            $"  ceiling       {why.ComputeCeilingTokensPerSecond:N0} tok/s if this plan recomputed nothing and waited for nothing; it "
                + $"reaches {why.TokensPerSecond / why.ComputeCeilingTokensPerSecond:0.0%} of it"
        );
        foreach (var link in why.Links)
        {
            output.WriteLine($"  link          {Explanations.Sentence(link)}");
        }

        if (why is { MoreDevice: { } device, MoreHost: { } host })
        {
            output.WriteLine(
                $"  more memory   {device.More.GiB:0.#} GiB more of device memory {Gain(device)}, {host.More.GiB:0.#} GiB more of host "
                    + $"memory {Gain(host)}"
            );
        }

        if (why.AmpleHost is { } ample)
        {
            output.WriteLine(
                ample.Gain < LeastGain
                    ? "  host memory   no amount of it makes this faster"
                    : $"  host memory   {ample.More} more of it {Gain(ample)}, the most that twice the budget would bring"
            );
        }

        if (recipe is not null)
        {
            output.WriteLine($"  recipe        {recipe}");
        }

        WriteOthers(output, why);
    }

    private static void WriteOthers(TextWriter output, PlanExplanation why)
    {
        if (why.Others.IsEmpty || why.Choice is not { } chosen)
        {
            return;
        }

        output.WriteLine("Next best, and why not:");
        foreach (var (candidate, reason, slower) in why.Others)
        {
            output.WriteLine(
                $"  {candidate.TokensPerSecond, 7:N0} tok/s, {slower:0.0%} slower: {Explanations.NameOf(reason)} with "
                    + $"{Explanations.Changes(candidate.Choice, chosen)}"
            );
        }
    }

    private static string Gain(MemoryGain gain) =>
        gain.Gain < LeastGain ? "brings nothing" : $"brings +{gain.Gain:0.0%} ({gain.TokensPerSecond:N0} tok/s)";
}
