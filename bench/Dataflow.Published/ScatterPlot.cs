using System.Globalization;
using System.Text;

namespace Dataflow.Published;

/// <summary>
/// Predicted against measured tokens a second, both logarithmic, a panel a machine; beneath each the error by sequence length. Written as
/// SVG by hand, since no chart library was to be had.
/// </summary>
internal static class ScatterPlot
{
    private const int PanelWidth = 470;
    private const int Left = 62;
    private const int PlotWidth = 390;
    private const int Top = 70;
    private const int PlotHeight = 300;
    private const int ErrorTop = Top + PlotHeight + 70;
    private const int ErrorHeight = 150;
    private const int Height = ErrorTop + ErrorHeight + 60;
    private const double ErrorLimit = 0.12;

    private static readonly Dictionary<string, string> Colours = new() { ["1b"] = "#0072b2", ["8b"] = "#d55e00", ["32b"] = "#009e73" };

    /// <summary>The rows given, which ran.</summary>
    public static string Svg(IReadOnlyList<Comparison> rows, string title)
    {
        var machines = rows.GroupBy(r => r.Row.Machine).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        var svg = new StringBuilder();
        int width = machines.Count * PanelWidth;
        Line(
            svg,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{Height}\" viewBox=\"0 0 {width} {Height}\" "
                + $"font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">"
        );
        Line(svg, $"<rect width=\"{width}\" height=\"{Height}\" fill=\"white\"/>");
        Text(svg, 16, 24, title, "start", 15);
        for (int i = 0; i < machines.Count; i++)
        {
            Line(svg, $"<g transform=\"translate({i * PanelWidth},0)\">");
            Panel(svg, machines[i].Key, [.. machines[i]]);
            Line(svg, "</g>");
        }

        Line(svg, "</svg>");
        return svg.ToString();
    }

    private static void Panel(StringBuilder svg, string machine, IReadOnlyList<Comparison> rows)
    {
        double low = rows.Min(r => Math.Min(r.Measured, r.Predicted)) / 1.15,
            high = rows.Max(r => Math.Max(r.Measured, r.Predicted)) * 1.15;
        double X(double v) => Left + (Math.Log(v / low) / Math.Log(high / low) * PlotWidth);
        double Y(double v) => Top + PlotHeight - (Math.Log(v / low) / Math.Log(high / low) * PlotHeight);
        Frame(svg, Top, PlotHeight);
        Text(svg, Left, Top - 26, machine, "start", 14);
        foreach (double tick in Ticks(low, high))
        {
            Line(svg, $"<path d=\"M{X(tick):F1} {Top}v{PlotHeight}M{Left} {Y(tick):F1}h{PlotWidth}\" stroke=\"#eee\"/>");
            Text(svg, X(tick), Top + PlotHeight + 16, Short(tick), "middle");
            Text(svg, Left - 6, Y(tick) + 4, Short(tick), "end");
        }

        Line(svg, $"<path d=\"M{Left} {Top + PlotHeight}L{Left + PlotWidth} {Top}\" stroke=\"#888\"/>");
        Text(svg, Left + (PlotWidth / 2.0), Top + PlotHeight + 34, "measured tok/s", "middle");
        Line(svg, $"<text transform=\"translate(14,{Top + (PlotHeight / 2)}) rotate(-90)\" text-anchor=\"middle\">predicted tok/s</text>");
        Points(svg, rows, r => X(r.Measured), r => Y(r.Predicted));

        double first = Math.Log2(rows.Min(r => r.Row.Number("seq_len"))), last = Math.Log2(rows.Max(r => r.Row.Number("seq_len")));
        double Along(double seqlen) => Left + 12 + ((Math.Log2(seqlen) - first) / Math.Max(1, last - first) * (PlotWidth - 24));
        double Error(double e) => ErrorTop + (ErrorHeight / 2.0) - (Math.Clamp(e, -ErrorLimit, ErrorLimit) / ErrorLimit * ErrorHeight / 2);
        Frame(svg, ErrorTop, ErrorHeight);
        foreach (double e in (double[])[-0.1, -0.04, 0, 0.04, 0.1])
        {
            Line(svg, $"<path d=\"M{Left} {Error(e):F1}h{PlotWidth}\" stroke=\"{(e == 0 ? "#888" : "#ddd")}\"/>");
            Text(svg, Left - 6, Error(e) + 4, e.ToString("+0%;-0%;0%", CultureInfo.InvariantCulture), "end");
        }

        for (double power = first; power <= last; power += 2)
        {
            Text(svg, Along(Math.Pow(2, power)), ErrorTop + ErrorHeight + 16, Seqlen(Math.Pow(2, power)), "middle");
        }

        Text(svg, Left + (PlotWidth / 2.0), ErrorTop + ErrorHeight + 34, "sequence length", "middle");
        Line(svg, $"<text transform=\"translate(14,{ErrorTop + (ErrorHeight / 2)}) rotate(-90)\" text-anchor=\"middle\">error</text>");
        Points(svg, rows, r => Along(r.Row.Number("seq_len")), r => Error(r.Error));
    }

    private static void Points(StringBuilder svg, IReadOnlyList<Comparison> rows, Func<Comparison, double> x, Func<Comparison, double> y)
    {
        int legend = 0;
        foreach (var model in rows.GroupBy(r => r.Row.Model).OrderBy(g => g.Key.Length).ThenBy(g => g.Key, StringComparer.Ordinal))
        {
            string colour = Colours.GetValueOrDefault(model.Key, "#555");
            foreach (var r in model)
            {
                Line(svg, $"<circle cx=\"{x(r):F1}\" cy=\"{y(r):F1}\" r=\"2.6\" fill=\"{colour}\" fill-opacity=\"0.55\"/>");
            }

            int at = Left + 90 + (90 * legend++);
            Line(svg, $"<circle cx=\"{at}\" cy=\"{Top - 30}\" r=\"4\" fill=\"{colour}\"/>");
            Text(svg, at + 9, Top - 26, $"{model.Key} ({model.Count()})", "start");
        }
    }

    private static void Frame(StringBuilder svg, int top, int height) =>
        Line(svg, $"<rect x=\"{Left}\" y=\"{top}\" width=\"{PlotWidth}\" height=\"{height}\" fill=\"none\" stroke=\"#888\"/>");

    private static IEnumerable<double> Ticks(double low, double high) =>
        Enumerable.Range(0, 8).SelectMany(p => (double[])[1, 2, 5], (p, m) => m * Math.Pow(10, p)).Where(v => v >= low && v <= high);

    private static string Short(double value) =>
        value >= 1000
            ? (value / 1000).ToString("0.#", CultureInfo.InvariantCulture) + "k"
            : value.ToString("0.#", CultureInfo.InvariantCulture);

    private static string Seqlen(double tokens) =>
        tokens >= 1 << 20 ? $"{tokens / (1 << 20):0}M"
        : tokens >= 1024 ? $"{tokens / 1024:0}k"
        : $"{tokens:0}";

    private static void Text(StringBuilder svg, double x, double y, string text, string anchor, int size = 12) =>
        Line(svg, $"<text x=\"{x:F1}\" y=\"{y:F1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{text}</text>");

    private static void Line(StringBuilder svg, FormattableString line) =>
        svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

    private static void Line(StringBuilder svg, string line) => svg.Append(line).Append('\n');
}
