using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow.Benchmarks;

/// <summary>A table of measurements: for people cells, for machines one object a row.</summary>
/// <param name="How">How it was measured and what the columns mean, for people.</param>
internal sealed record Result(string Title, string How, string[] Columns, IReadOnlyList<(string[] Cells, JsonObject Fields)> Rows)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };

    /// <summary>Prints the table.</summary>
    public void Write(TextWriter output, Conditions conditions)
    {
        output.WriteLine();
        output.WriteLine(Title);
        foreach (string line in conditions.Lines)
        {
            output.WriteLine(line);
        }

        Table().WriteTo(output);
    }

    /// <summary>Writes NAME.md and NAME.json into a folder.</summary>
    public void WriteTo(string folder, string name, Conditions conditions)
    {
        Directory.CreateDirectory(folder);
        using var output = new StreamWriter(Path.Combine(folder, name + ".md")) { NewLine = "\n" };
        output.WriteLine($"# {Title}\n\n{string.Join('\n', conditions.Lines)}\n\n{How}\n");
        Table().WriteMarkdownTo(output);
        var json = new JsonObject
        {
            ["title"] = Title,
            ["conditions"] = conditions.ToJson(),
            ["how"] = How,
            ["rows"] = new JsonArray([.. Rows.Select(r => r.Fields.DeepClone())]),
        };
        File.WriteAllText(Path.Combine(folder, name + ".json"), json.ToJsonString(Indented) + "\n");
    }

    /// <summary>"1.23 ms".</summary>
    public static string Duration(double nanoseconds) => nanoseconds switch
    {
        >= 1e9 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e9:0.00} s"),
        >= 1e6 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e6:0.00} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e3:0.00} us"),
    };

    private TextTable Table()
    {
        var table = new TextTable(Columns);
        foreach (var (cells, _) in Rows)
        {
            table.Add(cells);
        }

        return table;
    }
}
