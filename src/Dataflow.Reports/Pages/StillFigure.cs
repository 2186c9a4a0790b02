using System.Collections.Immutable;
using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Reports.Pages;

/// <summary>What a figure is kept as.</summary>
public enum FigureFormat
{
    /// <summary>Scalable Vector Graphics.</summary>
    Svg,

    /// <summary>Portable Network Graphics, rendered from the SVG.</summary>
    Png,

    /// <summary>Portable Document Format, rendered from the SVG.</summary>
    Pdf,
}

/// <summary>
/// Figures for paper and slides, drawn from the same specification as the pages: SVG by node, and PNG and PDF from the SVG by rsvg-convert.
/// Pages need neither program.
/// </summary>
public static class StillFigure
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Heatmaps as SVG, each with a name for a file without its ending: all metrics of a map in one figure, and the difference of the first
    /// map of a machine, model and length from each of the others of it.
    /// </summary>
    /// <exception cref="UserErrorException">node is missing or failed; the message says what to do.</exception>
    /// <exception cref="ArgumentException">A map cannot be drawn.</exception>
    public static ImmutableArray<(string Name, string Svg)> Svgs(params IReadOnlyList<Heatmap> maps) => Draw(HeatmapPage.Program(maps));

    /// <summary>All charts of a report as SVG, likewise.</summary>
    /// <exception cref="UserErrorException">node is missing or failed; the message says what to do.</exception>
    public static ImmutableArray<(string Name, string Svg)> Svgs(Report report) => Draw(ReportPage.Program(report));

    /// <summary>Figures in these formats, each with the name of its file.</summary>
    /// <exception cref="UserErrorException">rsvg-convert is missing or failed; the message says what to do.</exception>
    public static IEnumerable<(string Name, byte[] Content)> In(
        IReadOnlyList<FigureFormat> formats,
        ImmutableArray<(string Name, string Svg)> figures
    ) =>
        from figure in figures
        from format in formats
        select ($"{figure.Name}.{format.ToString().ToLowerInvariant()}", format switch
        {
            FigureFormat.Svg => Encoding.UTF8.GetBytes(figure.Svg),
            FigureFormat.Png => Png(figure.Svg),
            FigureFormat.Pdf => Pdf(figure.Svg),
            _ => throw new ArgumentOutOfRangeException(nameof(formats), format, "no format"),
        });

    /// <summary>A figure as PNG, two pixels to each of the SVG's.</summary>
    /// <exception cref="UserErrorException">rsvg-convert is missing or failed; the message says what to do.</exception>
    public static byte[] Png(string svg) => Convert(svg, "png", "--zoom", "2");

    /// <summary>A figure as PDF.</summary>
    /// <exception cref="UserErrorException">rsvg-convert is missing or failed; the message says what to do.</exception>
    public static byte[] Pdf(string svg) => Convert(svg, "pdf");

    private static ImmutableArray<(string Name, string Svg)> Draw(string program)
    {
        using var figures = JsonDocument.Parse(
            Run("node", ["-"], Encoding.UTF8.GetBytes(program), "node (on Debian: apt-get install nodejs); the pages themselves need none")
        );
        return
        [
            .. figures.RootElement.EnumerateArray().Select(f => (f.GetProperty("name").GetString()!, f.GetProperty("svg").GetString()!)),
        ];
    }

    private static byte[] Convert(string svg, string format, params string[] more) =>
        Run(
            "rsvg-convert",
            ["--format", format, .. more],
            Encoding.UTF8.GetBytes(svg),
            "rsvg-convert (on Debian: apt-get install librsvg2-bin), or take the SVG"
        );

    private static byte[] Run(string program, string[] arguments, byte[] input, string remedy)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            using var output = new MemoryStream();
            var reading = process.StandardOutput.BaseStream.CopyToAsync(output);
            try
            {
                process.StandardInput.BaseStream.Write(input);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading everything: its exit status and its message say why.
            }

            if (!process.WaitForExit(s_limit))
            {
                process.Kill(entireProcessTree: true);
                throw new UserErrorException($"{program} did not draw the figure within {s_limit.TotalSeconds} seconds");
            }

            reading.Wait();
            return process.ExitCode == 0 && output.Length > 0
                ? output.ToArray()
                : throw new UserErrorException($"{program} could not draw the figure and says: {FirstLine(errors.Result)}");
        }
        catch (Win32Exception)
        {
            throw new UserErrorException($"a still figure is drawn by {program}, which was not found: install {remedy}");
        }
    }

    private static string FirstLine(string text) =>
        text.Split('\n').FirstOrDefault(l => l.Contains("rror", StringComparison.Ordinal)) ?? text.Trim().Split('\n')[0];
}
