using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using Dataflow.Model;
using Dataflow.Reports.Pages;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>Still figures of what a command shows as pages.</summary>
internal sealed class FigureFlags
{
    private readonly Option<FigureFormat[]?> formats = Declare.Option<FigureFormat[]?>(
        "--figures",
        "FORMAT,...",
        "write still figures too: svg, png, pdf",
        t => [.. t.Split(',').Select(Format).Distinct()]
    );

    /// <summary>The option.</summary>
    public Option Option => formats;

    /// <summary>Draws and writes what was asked for.</summary>
    /// <param name="parsed">The command line, which says what figures are wanted.</param>
    /// <param name="folder">Where they are written.</param>
    /// <param name="draw">Makes the SVGs; only called if figures are wanted.</param>
    /// <returns>How many files were written.</returns>
    /// <exception cref="UserErrorException">A program is missing, or the folder cannot be written.</exception>
    public int Write(ParseResult parsed, string folder, Func<ImmutableArray<(string Name, string Svg)>> draw)
    {
        if (parsed.GetValue(formats) is not { Length: > 0 } wanted)
        {
            return 0;
        }

        int written = 0;
        foreach (var (name, content) in StillFigure.In(wanted, Waiting.For("drawing figures", draw)))
        {
            using var file = AtomicFile.Create(Path.Combine(folder, name));
            file.Write(content);
            file.Commit();
            written++;
        }

        return written;
    }

    private static FigureFormat Format(string text) =>
        Enum.TryParse<FigureFormat>(text.Trim(), ignoreCase: true, out var format)
        && Enum.IsDefined(format)
        && !char.IsDigit(text.Trim()[0])
            ? format
            : throw new UserErrorException($"'{text}' is no format of a figure; choose among svg, png, pdf");
}
