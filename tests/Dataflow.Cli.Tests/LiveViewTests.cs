using System.Text;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli.Tests;

/// <summary>What a run shows at a terminal, and what it draws over again.</summary>
public sealed class LiveViewTests
{
    private static readonly TerminalKind s_full = new(Unicode: true, Colours: true);

    [Theory]
    [InlineData("xterm-256color", "C.UTF-8", null, true, true)]
    [InlineData("screen", "en_US.utf8", "1", true, false)]
    [InlineData("xterm", "C", null, false, true)]
    [InlineData("xterm", null, "", false, true)]
    [InlineData("vt100", "C.UTF-8", null, false, false)]
    public void A_terminal_says_what_it_can_show(string terminal, string? locale, string? noColour, bool unicode, bool colours) =>
        Assert.Equal(new TerminalKind(unicode, colours), TerminalKind.Of(Variables(terminal, locale, noColour)));

    [Theory]
    [InlineData("dumb")]
    [InlineData(null)]
    public void Where_a_cursor_cannot_move_there_are_plain_lines(string? terminal) =>
        Assert.Null(TerminalKind.Of(Variables(terminal, "C.UTF-8", null)));

    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    [InlineData(40)]
    [InlineData(8)]
    public void Every_width_has_the_same_rows_and_no_line_fills_it(int columns)
    {
        var lines = LiveView.Lines(Figures(), s_full, columns);
        Assert.Equal(7, lines.Count);
        Assert.All(lines, l => Assert.InRange(TerminalText.ColumnsOf(l), 1, columns - 1));
    }

    [Fact]
    public void Its_rows_say_where_a_run_is_and_how_fast()
    {
        string text = string.Join('\n', LiveView.Lines(Figures(), new TerminalKind(Unicode: false, Colours: false), 120));
        Assert.DoesNotContain('\e', text);
        Assert.All(text, c => Assert.True(c is '\n' or (>= ' ' and <= '~'), $"{c} is no ASCII"));
        string[] said =
        [
            "30 of 100", "######--------------  30%", "1 min 10 s left", "2.5000", "validation 2.7500 at step 20", "2.00e-3",
            "gradient norm 1.5000", "512 tok/s", "50% of the 1,024 predicted", "compute ", "90%", "to device ", "25%", " of 8.00 MiB",
        ];
        Assert.All(said, s => Assert.Contains(s, text, StringComparison.Ordinal));
        Assert.Contains('▁', string.Join('\n', LiveView.Lines(Figures(), s_full, 80)));
    }

    [Fact]
    public void Before_the_first_step_there_is_nothing() => Assert.Empty(LiveView.Lines(new LiveFigures(), s_full, 80));

    [Fact]
    public void Lines_are_cut_by_what_they_show()
    {
        Assert.Equal("\e[1mab\e[0m", TerminalText.Cut("\e[1mabcd\e[0m", 2));
        Assert.Equal("abcd", TerminalText.Cut("abcd", 4));
        Assert.Equal(3, TerminalText.ColumnsOf("a\e[94mb\e[0mc"));
    }

    [Fact]
    public void What_is_drawn_again_replaces_what_was_there_and_messages_stay_above()
    {
        using var terminal = new MemoryStream();
        int columns = 80;
        using (var region = new LiveRegion(terminal, () => columns, width => [new string('x', 60), $"{width}"]))
        {
            region.Draw();
            Assert.Equal($"{new string('x', 60)}\n80\n", Said(terminal));
            region.Print(() => terminal.Write("above\n"u8));
            Assert.Equal($"\r\e[2A\e[Jabove\n{new string('x', 60)}\n80\n", Said(terminal));

            // The terminal has become narrower: it shows the first line on two.
            columns = 40;
            region.Draw();
            Assert.StartsWith("\r\e[3A\e[J", Said(terminal), StringComparison.Ordinal);
        }

        Assert.Equal("\r\e[3A\e[J", Said(terminal));
    }

    [Fact]
    public void Where_nobody_sits_at_a_terminal_each_step_is_a_line()
    {
        const string run = "train nano --seqlen 32 --device-memory 8MiB --host-memory 64MiB --data LICENSE --global-batch 64 --steps 3";
        var piped = Programs.DataflowProcess(run);
        Assert.Equal(0, piped.Status);
        Assert.DoesNotContain('\e', piped.Output + piped.Errors);
        Assert.Equal(3, piped.Output.Split('\n').Count(l => l.StartsWith("step ", StringComparison.Ordinal)));
    }

    private static string Said(MemoryStream terminal)
    {
        string text = Encoding.UTF8.GetString(terminal.ToArray());
        terminal.SetLength(0);
        return text;
    }

    private static LiveFigures Figures()
    {
        var figures = new LiveFigures();
        var options = new PlanOptions
        {
            Model = "nano", Seqlen = 64, GlobalBatch = 512, DeviceMemory = new Bytes(8 << 20), HostMemory = new Bytes(64 << 20),
            Device = DeviceOptions.Cpu, Policy = PlanPolicy.Simple,
        };
        using var source = ModelSource.Open("nano");
        var budgets = Budgets.Choose(options);
        var question = new PlanQuestion(options, source.Model, budgets.Memory, options.By);
        var result = Plans.Make(question);
        figures.Take(new RunEvent.Planned(question.Request, result, budgets, options.By, PlanNotes.Of(question, result)));
        for (int step = 1; step <= 30; step++)
        {
            double loss = step == 30 ? 2.5 : 5 - (step / 15.0);
            var report = new StepReport(step, loss, 512, 512, TimeSpan.FromSeconds(1), GradientNorm: 1.5);
            figures.Take(new RunEvent.Stepped(new StepResult(
                report, 100, 1e9, 2e-3f, step == 20 ? new ValidationResult(2.75, 1) : null, PredictedSeconds: 0.5)
            {
                Sample = step == 2 ? new StepSample([new("compute", 0.9), new("h2d", 0.25), new("d2h", 0)], [], new Bytes(1), null) : null,
            }));
        }

        return figures;
    }

    private static Func<string, string?> Variables(string? terminal, string? locale, string? noColour) => name => name switch
    {
        "TERM" => terminal,
        "LANG" => locale,
        "NO_COLOR" => noColour,
        _ => null,
    };
}
