using System.Text;

namespace Dataflow.Cli;

/// <summary>
/// The last lines of a terminal, which are drawn over again. What is printed meanwhile, on either output, goes above them. Where lines were
/// broken by a terminal that has become narrower, what they take then is counted.
/// </summary>
internal sealed class LiveRegion : IDisposable
{
    private readonly Lock gate = new();
    private readonly Stream terminal;
    private readonly Func<int> width;
    private readonly Func<int, IReadOnlyList<string>> lines;
    private readonly TextWriter errors;
    private IReadOnlyList<int> shown = [];
    private bool over;

    /// <param name="terminal">Takes control characters as they are.</param>
    /// <param name="width">Columns that the terminal has now.</param>
    /// <param name="lines">What is to be shown in so many columns.</param>
    public LiveRegion(Stream terminal, Func<int> width, Func<int, IReadOnlyList<string>> lines)
    {
        (this.terminal, this.width, this.lines) = (terminal, width, lines);
        errors = Console.Error;
        Console.SetError(new Above(this, errors));
    }

    /// <summary>Draws it as it is now.</summary>
    public void Draw()
    {
        lock (gate)
        {
            if (!over)
            {
                Redraw(() => { });
            }
        }
    }

    /// <summary>Prints above it.</summary>
    public void Print(Action print)
    {
        lock (gate)
        {
            if (over)
            {
                print();
            }
            else
            {
                Redraw(print);
            }
        }
    }

    /// <summary>Takes it away.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (!over)
            {
                Write(Erasing(width()));
                (over, shown) = (true, []);
                Console.SetError(errors);
            }
        }
    }

    private void Redraw(Action print)
    {
        int columns = width();
        Write(Erasing(columns));
        print();
        var now = lines(columns);
        Write(string.Concat(now.Select(l => l + "\n")));
        shown = [.. now.Select(TerminalText.ColumnsOf)];
    }

    private string Erasing(int columns)
    {
        int rows = shown.Sum(length => Math.Max(1, (length + columns - 1) / Math.Max(1, columns)));
        return rows == 0 ? "" : $"\r\e[{rows}A\e[J";
    }

    private void Write(string text) => terminal.Write(Encoding.UTF8.GetBytes(text));

    /// <summary>Messages, whole lines of which go above; progress without an end of line stays below, where the cursor is.</summary>
    private sealed class Above(LiveRegion region, TextWriter inner) : TextWriter
    {
        public override Encoding Encoding => inner.Encoding;

        public override void Write(char value) => inner.Write(value);

        public override void Write(string? value) => inner.Write(value);

        public override void WriteLine(string? value) => region.Print(() => inner.WriteLine(value));

        public override void Flush() => inner.Flush();
    }
}
