using System.Globalization;
using Dataflow.Model;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Dataflow.Cli;

/// <summary>What a live view of a run looks like, as lines of a width: a function of its figures.</summary>
internal static class LiveView
{
    private const int BarWidth = 20;
    private const int LabelWidth = 8;
    private const int WideFrom = 110;
    private const int Narrowest = 30;
    private const int Widest = 400;
    private static readonly (string Stream, string Name)[] s_streams = [("compute", "compute"), ("h2d", "to device"), ("d2h", "to host")];

    /// <summary>The lines, without their ends.</summary>
    /// <param name="figures">Of the run.</param>
    /// <param name="kind">What the terminal can show.</param>
    /// <param name="width">Columns of the terminal; none of the lines fills its last.</param>
    public static IReadOnlyList<string> Lines(LiveFigures figures, TerminalKind kind, int width)
    {
        if (figures is not { Last: { } last, Plan: { } plan })
        {
            return [];
        }

        var draw = new Drawing(kind);
        var rows = new Grid()
            .AddColumn(new GridColumn().NoWrap().Width(LabelWidth).PadRight(1))
            .AddColumn(new GridColumn().NoWrap().PadLeft(0));
        int room = Math.Max(Narrowest, width - 1) - LabelWidth - 2;
        void Row(string label, string text) => rows.AddRow(new Markup(label, draw.Quiet), new Markup(text).Overflow(Overflow.Crop));

        double done = (double)last.Step.Step / last.Steps;
        string steps = $"[bold]{Count(last.Step.Step)}[/] of {Count(last.Steps)}";
        Row("step", $"{steps}  {draw.Bar(done, BarWidth)}  {done:0%}  {Left(figures.Left)}");
        Row("loss", Loss(figures, draw, room));
        Row("rate", $"{Rate(last.LearningRate)}{(figures.Norm is { } norm ? $"   gradient norm {Number(norm)}" : "")}");
        Row("speed", Speed(last, draw));
        Row("device", Memory(plan.DevicePeak, plan.Budget.Device, draw));
        Row("host", Memory(plan.HostPeak, plan.Budget.Host, draw));
        Row("busy", Busy(figures.Sample, draw, room));
        return [.. Rendered(rows, kind).Select(l => TerminalText.Cut(l, Math.Max(1, width - 1)))];
    }

    private static string Loss(LiveFigures figures, Drawing draw, int room)
    {
        var last = figures.Last!.Value.Step;
        string text = last.Skipped is null ? $"[bold]{Number(last.Loss)}[/]" : "skipped, as it was not finite";
        if (figures.Validation is { } held)
        {
            text += $"   validation {Number(held.Loss)} at step {Count(held.Step)}";
        }

        int used = Markup.Remove(text).Length + 2;
        return room - used < 8 ? text : $"{text}  {draw.Curve([.. figures.Losses], Math.Min(room - used, room < WideFrom - 20 ? 40 : 80))}";
    }

    private static string Speed(StepResult last, Drawing draw)
    {
        string text = $"[bold]{last.Step.TokensPerSecond:N0}[/] tok/s";
        return last.PredictedTokensPerSecond is { } predicted
            ? $"{text}  {draw.Bar(last.Step.TokensPerSecond / predicted, BarWidth)}  {last.Step.TokensPerSecond / predicted:0%} of the "
                + $"{predicted:N0} predicted"
            : text;
    }

    private static string Memory(Bytes held, Bytes budget, Drawing draw)
    {
        double share = budget.Value > 0 ? (double)held.Value / budget.Value : 0;
        return $"{draw.Bar(share, BarWidth)}  {held} of {budget}";
    }

    private static string Busy(StepSample? sample, Drawing draw, int room)
    {
        if (sample is not { Streams.Count: > 0 })
        {
            return "known from the second step on";
        }

        int bar = room >= 86 ? 12 : 6;
        return string.Join("   ", s_streams
            .Where(s => sample.Streams.Any(b => b.Stream == s.Stream))
            .Select(s => (s.Name, Share: sample.Streams.First(b => b.Stream == s.Stream).Busy))
            .Select(s => $"{s.Name} {draw.Bar(s.Share, bar)} {s.Share:0%}"));
    }

    private static string Left(TimeSpan? time) => time is not { } left ? ""
        : left.TotalHours >= 1 ? $"{(int)left.TotalHours} h {left.Minutes:00} min left"
        : left.TotalMinutes >= 1 ? $"{left.Minutes} min {left.Seconds:00} s left"
        : $"{left.Seconds} s left";

    private static string Count(int number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("0.0000", CultureInfo.InvariantCulture);

    private static string Rate(float rate) => rate.ToString("0.00e-0", CultureInfo.InvariantCulture);

    // What has no room is cut, not wrapped: each row stays in its place.
    private static IEnumerable<string> Rendered(IRenderable what, TerminalKind kind)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = kind.Colours ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = kind.Colours ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(text),
        });
        console.Profile.Width = Widest;
        console.Profile.Capabilities.Unicode = kind.Unicode;
        console.Write(what);
        return text.ToString().TrimEnd('\n', '\r').Split('\n').Select(l => l.TrimEnd());
    }

    /// <summary>Bars and curves of what a terminal can show.</summary>
    private sealed class Drawing(TerminalKind kind)
    {
        private readonly string levels = kind.Unicode ? "▁▂▃▄▅▆▇█" : "_.-:=+*#";

        /// <summary>What says less.</summary>
        public Style Quiet { get; } = kind.Colours ? new Style(Color.Grey) : Style.Plain;

        /// <summary>A share as a bar; beyond 1 it is full.</summary>
        public string Bar(double share, int width)
        {
            int full = double.IsFinite(share) ? (int)Math.Round(Math.Clamp(share, 0, 1) * width) : 0;
            var (on, off) = kind.Unicode ? ('█', '░') : ('#', '-');
            return $"[blue]{new string(on, full)}[/][grey]{new string(off, width - full)}[/]";
        }

        /// <summary>Values as a line of levels, the least lowest: where there are more than columns, the mean of each.</summary>
        public string Curve(double[] values, int width)
        {
            int columns = Math.Min(width, values.Length);
            int From(int column) => column * values.Length / columns;
            double[] means = [.. Enumerable.Range(0, columns).Select(c => values[From(c)..From(c + 1)].Average())];
            double low = means.DefaultIfEmpty(0).Min(), high = means.DefaultIfEmpty(0).Max();
            char Level(double mean) => levels[high > low ? (int)((mean - low) / (high - low) * (levels.Length - 1)) : 0];
            return $"[blue]{string.Concat(means.Select(Level))}[/]";
        }
    }
}
