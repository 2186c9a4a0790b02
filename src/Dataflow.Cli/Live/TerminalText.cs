using System.Text;

namespace Dataflow.Cli;

/// <summary>Lines with colours in them, which take no room.</summary>
internal static class TerminalText
{
    private const char Escape = '\e';
    private const string Plain = "\e[0m";

    /// <summary>Columns that a line takes.</summary>
    public static int ColumnsOf(string line)
    {
        int columns = 0;
        for (int at = 0; at < line.Length; at = Next(line, at))
        {
            columns += line[at] == Escape ? 0 : 1;
        }

        return columns;
    }

    /// <summary>A line of at most so many columns; one that was cut has the plain colour after it.</summary>
    public static string Cut(string line, int most)
    {
        if (ColumnsOf(line) <= most)
        {
            return line;
        }

        var cut = new StringBuilder();
        for (int at = 0, columns = 0; columns < most; at = Next(line, at))
        {
            columns += line[at] == Escape ? 0 : 1;
            cut.Append(line.AsSpan(at, Next(line, at) - at));
        }

        return line.Contains(Escape, StringComparison.Ordinal) ? cut.Append(Plain).ToString() : cut.ToString();
    }

    // Behind the character there, or behind the whole sequence that begins there.
    private static int Next(string line, int at) =>
        line[at] != Escape ? at + 1 : line.IndexOf('m', at) is var end and >= 0 ? end + 1 : line.Length;
}
