using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// Rows of a step where the user gives none: enough computation that moving the optimizer's state in (or out) is a small part of it.
/// Time per token assumes 60% of the peak, as the published system does; the overhead target is its 2%. An adapter's state is so small
/// that one row would do: there a step has enough tokens to fill the products and to hide its base's way to the device.
/// </summary>
public static class GlobalBatchRule
{
    private const double Overhead = 0.02;
    private const double Efficiency = 0.6;
    private const long MostTokens = 524_288;
    private const int TokensOfAdapter = 8192;

    /// <summary>Rows of a step on that hardware; at least 1, at most 524,288 tokens unless one row is longer.</summary>
    public static int Rows(ModelConfig model, Recipe recipe, Optimizer optimizer, int seqlen, HardwareProfile hardware)
    {
        double state = optimizer.StateSize(model, recipe).Value;
        double rate = hardware.Links.Min(l => l.BytesPerSecondBothBusy.Value);
        double secondsPerRow = model.ModelFlops(seqlen) / (Efficiency * hardware.PeakFlopsPerSecond(recipe.Parameters));
        double rows = Math.Round(state / rate / Overhead / secondsPerRow);
        int least = model.Adapter is null ? 1 : Math.Max(1, TokensOfAdapter / seqlen);
        return (int)Math.Clamp(rows, least, Math.Max(least, MostTokens / seqlen));
    }
}
