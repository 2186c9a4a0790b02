using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>How predictions hold for a machine and head width of which no row was fitted.</summary>
/// <param name="Conditions">Commit and machine.</param>
internal sealed record WidthReport(IReadOnlyList<LeftOutPair> Pairs, string Conditions)
{
    /// <summary>Markdown, which also reads as plain text.</summary>
    public string Markdown()
    {
        var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        text.WriteLine("# Machines and head widths that no fitted row had together\n");
        text.WriteLine($"{Conditions}\n");
        text.WriteLine(
            "Each pair of a machine and a head width of the published sweeps was left out of the fit in turn, and all its rows then "
                + "predicted. Errors are of tokens a"
        );
        text.WriteLine(
            "second: predicted over measured, less one; above 0 is too fast. At a length they are the median's. Limits: median 6%, the "
                + "longest length within 5 points of"
        );
        text.WriteLine(
            "the shortest. What the rows left do not tell comes from a prior: the part of attention that is no tensor work takes as long "
                + "at either width"
        );
        text.WriteLine(
            "(`AttentionRoofline`); where a machine has no rows left at all, everything comes from its next of kin (`MachinePriors`).\n"
        );
        text.WriteLine(
            "| left out | rows fitted of the machine | rows predicted | median error | shortest length | longest length | apart, points | "
                + "within limits |\n|---|---:|---:|---:|---:|---:|---:|---|"
        );
        foreach (var p in Pairs)
        {
            var (shortest, longest) = (p.ByLength[0], p.ByLength[^1]);
            text.WriteLine(
                $"| {p.Machine}, heads of {p.HeadDim} | {p.FittedRows} | {p.Rows.Count} | {p.Median:0.0%} | {Signed(shortest.Error)} at "
                    + $"{shortest.Seqlen:N0} | {Signed(longest.Error)} at {longest.Seqlen:N0} "
                    + $"| {100 * p.Drift:+0.0;-0.0;0.0} | {(p.IsMet ? "yes" : "NO")} |"
            );
        }

        text.WriteLine("\nBy length:\n");
        int[] lengths = [.. Pairs.SelectMany(p => p.ByLength).Select(l => l.Seqlen).Distinct().Order()];
        text.WriteLine(
            $"| left out | {string.Join(" | ", lengths.Select(l => l.ToString("N0", CultureInfo.InvariantCulture)))} "
                + $"|\n|---|{string.Concat(lengths.Select(_ => "---:|"))}"
        );
        foreach (var p in Pairs)
        {
            var known = p.ByLength.ToDictionary(l => l.Seqlen, l => l.Error);
            text.WriteLine(
                $"| {p.Machine}, heads of {p.HeadDim} | "
                    + $"{string.Join(" | ", lengths.Select(l => known.TryGetValue(l, out double e) ? Signed(e) : ""))} |"
            );
        }

        text.WriteLine();
        text.WriteLine(
            "Not blind in one respect: the power that rounds the prior's corner (3) was chosen knowing the H100's rows at both widths, "
                + "which alone would have 2.8."
        );
        text.WriteLine(
            "The RTX 5090 alone ran FlashAttention-2, so that nothing else tells how its widths go together: its heads of 64 are a third "
                + "faster per FLOP than its heads of 128,"
        );
        text.WriteLine(
            "where every other kernel here is slower. Of the A100 and the RTX 3090 no row is left: their attention runs at 0.3 and 0.5 of "
                + "the peak where the H100's runs at 0.6,"
        );
        text.WriteLine("and each is told by the other alone.");
        return text.ToString();
    }

    /// <summary>The figures for programs, with the constants of each fit.</summary>
    public string Json() =>
        new JsonObject
        {
            ["conditions"] = Conditions,
            ["pairs"] = new JsonArray([
                .. Pairs.Select(p => new JsonObject
                {
                    ["machine"] = p.Machine,
                    ["head_dim"] = p.HeadDim,
                    ["rows_fitted"] = p.FittedRows,
                    ["rows"] = p.Rows.Count,
                    ["constants"] = new JsonObject(
                        EfficiencyConstants.Names.Zip(p.Constants.Values, (n, v) => KeyValuePair.Create(n, (JsonNode?)Digits(v)))
                    ),
                    ["median"] = Digits(p.Median),
                    ["met"] = p.IsMet,
                    ["by_length"] = new JsonObject(
                        p.ByLength.Select(l =>
                            KeyValuePair.Create(l.Seqlen.ToString(CultureInfo.InvariantCulture), (JsonNode?)Digits(l.Error))
                        )
                    ),
                    ["errors"] = string.Join(' ', p.Rows.Select(r => Digits(r.Error).ToString(CultureInfo.InvariantCulture))),
                }),
            ]),
        }.ToJsonString(new() { WriteIndented = true }) + "\n";

    private static double Digits(double value) => Math.Round(value, 4);

    private static string Signed(double value) =>
        (Math.Round(value, 3) is 0 ? 0 : value).ToString("+0.0%;-0.0%;0.0%", CultureInfo.InvariantCulture);
}
