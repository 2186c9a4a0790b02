using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow.Benchmarks;

/// <summary>
/// How far each optimizer and recipe comes in the runs of bench/optimizers.sh: losses on text that none trained on, as a table and as a
/// picture.
/// </summary>
internal static class OptimizerCurves
{
    private const string Reference = "adamw-fp32";
    private const double Bound = 1.01;
    private const int Left = 60, Top = 46, PlotWidth = 560, PlotHeight = 320, LegendWidth = 250;

    private static readonly string[] s_colours =
        ["#222222", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a5a00", "#6a3d9a"];

    /// <summary>The table of the runs in a folder: curves of the first seed, and where each run ends in the mean of its seeds.</summary>
    public static Result Of(string folder)
    {
        var all = Read(folder);
        var runs = all.Where(r => r.Seed == 0).ToList();
        double Last(string name, int seed) => all.Single(r => r.Name == name && r.Seed == seed).Losses[^1].Loss;
        return new Result(
            "Optimizers and recipes: 1,000 steps of micro",
            "`make check-optimizers`: models/micro.json, 2 rows of 256 bytes a step, on the demo's text but its last 64 KiB, of which 32 "
                + "KiB are what the loss is measured on (nats a byte). The options of each run are in bench/optimizers.sh. Losses by step "
                + "are those of seed 0. A run ends up to 2% from where it ends with another seed, so the last columns are means over "
                + $"seeds, divided by that of {Reference} over the same seeds. Within: at most 1% above it.\n\n![losses](optimizers.svg)",
            [
                "run",
                .. runs[0].Losses.Select(l => $"step {l.Step:N0}"),
                "seeds",
                "their least",
                "most",
                "mean",
                $"of {Reference}",
                "within",
            ],
            [.. runs.Select(Row)]
        );

        (string[], JsonObject) Row((string Name, int Seed, List<(int Step, double Loss)> Losses) run)
        {
            int[] seeds = [.. all.Where(r => r.Name == run.Name).Select(r => r.Seed).Order()];
            double[] ends = [.. seeds.Select(s => Last(run.Name, s))];
            double ratio = ends.Average() / seeds.Average(s => Last(Reference, s));
            return (
                [
                    run.Name,
                    .. run.Losses.Select(l => Text(l.Loss)),
                    $"{seeds.Length}",
                    Text(ends.Min()),
                    Text(ends.Max()),
                    Text(ends.Average()),
                    Text(ratio),
                    ratio <= Bound ? "yes" : "NO",
                ],
                new JsonObject
                {
                    ["run"] = run.Name,
                    ["steps"] = new JsonArray([.. run.Losses.Select(l => JsonValue.Create(l.Step))]),
                    ["validation_losses"] = new JsonArray([.. run.Losses.Select(l => JsonValue.Create(l.Loss))]),
                    ["last_by_seed"] = new JsonArray([.. ends.Select(e => JsonValue.Create(e))]),
                    ["mean_of_reference"] = ratio,
                }
            );
        }
    }

    private static string Text(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    /// <summary>The picture of the same.</summary>
    public static string Svg(string folder)
    {
        var runs = Read(folder).Where(r => r.Seed == 0).ToList();
        double low = runs.Min(r => r.Losses.Min(l => l.Loss)) - 0.02, high = runs.Max(r => r.Losses[0].Loss) + 0.02;
        int last = runs.Max(r => r.Losses[^1].Step), width = Left + PlotWidth + LegendWidth, height = Top + PlotHeight + 54;
        double X(double step) => Left + (step / last * PlotWidth);
        double Y(double loss) => Top + ((high - loss) / (high - low) * PlotHeight);
        var svg = new StringBuilder();
        void Line(FormattableString line) => svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Line($"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\"");
        Line($" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">");
        Line($"<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>");
        Line($"<text x=\"{Left}\" y=\"24\" font-size=\"15\">Loss on held-out text, nats a byte: micro, 512 bytes a step, seed 0</text>");
        for (double tick = Math.Ceiling(low * 10) / 10; tick < high; tick += 0.1)
        {
            Line($"<path d=\"M{Left} {Y(tick):F1}h{PlotWidth}\" stroke=\"#e4e4e4\"/>");
            Line($"<text x=\"{Left - 8}\" y=\"{Y(tick) + 4:F1}\" text-anchor=\"end\">{tick:0.0}</text>");
        }

        for (int step = 0; step <= last; step += 200)
        {
            Line($"<text x=\"{X(step):F1}\" y=\"{Top + PlotHeight + 18}\" text-anchor=\"middle\">{step:N0}</text>");
        }

        Line($"<text x=\"{Left + (PlotWidth / 2)}\" y=\"{Top + PlotHeight + 40}\" text-anchor=\"middle\">steps</text>");
        Line($"<rect x=\"{Left}\" y=\"{Top}\" width=\"{PlotWidth}\" height=\"{PlotHeight}\" fill=\"none\" stroke=\"#888\"/>");
        foreach (var (run, i) in runs.OrderByDescending(r => r.Losses[^1].Loss).Select((r, i) => (r, i)))
        {
            string colour = s_colours[i % s_colours.Length];
            string points = string.Join(
                ' ', run.Losses.Select(l => string.Create(CultureInfo.InvariantCulture, $"{X(l.Step):F1},{Y(l.Loss):F1}")));
            Line($"<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"/>");
            int at = Top + 10 + (22 * i);
            Line($"<path d=\"M{Left + PlotWidth + 12} {at}h22\" stroke=\"{colour}\" stroke-width=\"3\"/>");
            Line($"<text x=\"{Left + PlotWidth + 40}\" y=\"{at + 4}\">{run.Name} {run.Losses[^1].Loss:0.000}</text>");
        }

        Line($"</svg>");
        return svg.ToString();
    }

    /// <summary>By name, the one that others are held to first; NAME.SEED.json is NAME with another seed than 0.</summary>
    private static List<(string Name, int Seed, List<(int Step, double Loss)> Losses)> Read(string folder) =>
        [
            .. Directory
                .GetFiles(folder, "*.json")
                .Select(f => (Parts: Path.GetFileNameWithoutExtension(f).Split('.'), Losses: LossesOf(f)))
                .Select(r =>
                    (Name: r.Parts[0], Seed: r.Parts.Length == 1 ? 0 : int.Parse(r.Parts[1], CultureInfo.InvariantCulture), r.Losses))
                .OrderBy(r => r.Name == Reference ? 0 : 1)
                .ThenBy(r => r.Name, StringComparer.Ordinal)
                .ThenBy(r => r.Seed),
        ];

    private static List<(int, double)> LossesOf(string path)
    {
        var losses = new List<(int, double)>();
        foreach (string line in File.ReadLines(path))
        {
            using var happened = JsonDocument.Parse(line);
            var at = happened.RootElement;
            if (at.GetProperty("event").GetString() == "step" && at.TryGetProperty("validation_loss", out var loss)
                && loss.ValueKind == JsonValueKind.Number)
            {
                losses.Add((at.GetProperty("step").GetInt32(), loss.GetDouble()));
            }
        }

        return losses;
    }
}
