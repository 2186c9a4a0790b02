using System.Text.RegularExpressions;
using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>A published table, drawn again, says what its file says.</summary>
public partial class PublishedMapTests
{
    [GeneratedRegex("<text[^>]*font-size:1[01]px[^>]*>([^<]*)</text>")]
    private static partial Regex Annotation();

    [Theory]
    [InlineData("H100", "8", 8192)]
    [InlineData("A100", "8", 524288)]
    public void Every_annotated_cell_is_the_files_value(string machine, string model, int seqlen)
    {
        Browser.RequireNode();
        string[][] lines =
        [
            .. File.ReadLines(Path.Combine(Browser.Root, "bench", "published", "published_sweeps.csv")).Select(l => l.Split(',')),
        ];
        int Column(string name) => Array.IndexOf(lines[0], name);
        double Number(string[] line, string name) => double.Parse(line[Column(name)]);
        var rows = lines
            .Skip(1)
            .Where(l => l[Column("machine")] == machine && l[Column("model_size")] == model && l[Column("seq_len")] == $"{seqlen}")
            .ToList();
        Assert.True(rows.Count >= 20, $"{rows.Count} rows");
        var map = new Heatmap(
            "published",
            machine,
            $"{model}b",
            seqlen,
            [
                .. rows.Select(l => new HeatmapCell(Number(l, "host_mem_gb"), Number(l, "dev_mem_gb"), ResultSource.Published)
                {
                    TokensPerSecond = Number(l, "tok_per_sec") is > 0 and var speed ? speed : null,
                    Mfu = Number(l, "mfu") is > 0 and var share ? share : null,
                    Infeasible = Number(l, "tok_per_sec") == 0 ? "it could not run" : null,
                }),
            ]
        );
        var tokens = rows.Select(l =>
            Number(l, "tok_per_sec") is var v && v == 0 ? "no fit"
            : v >= 1000 ? $"{Math.Round(v):N0}"
            : Digits(v, 4)
        );
        var shares = rows.Select(l => Number(l, "mfu") is var v && v == 0 ? "no fit" : Digits(100 * v, 3));
        Assert.Equal(Sorted([.. tokens, .. shares]), Sorted(Annotations(Assert.Single(StillFigure.Svgs(map)).Svg)));
    }

    private static string Digits(double value, int significant) =>
        value.ToString($"F{Math.Max(0, significant - 1 - (int)Math.Floor(Math.Log10(value)))}");

    private static IEnumerable<string> Annotations(string svg) => Annotation().Matches(svg).Select(m => m.Groups[1].Value);

    private static string[] Sorted(IEnumerable<string> texts) => [.. texts.Order(StringComparer.Ordinal)];
}
