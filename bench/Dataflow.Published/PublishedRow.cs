using System.Globalization;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Baseline;

namespace Dataflow.Published;

/// <summary>A row of the published sweeps, by column.</summary>
internal sealed record PublishedRow(int Index, IReadOnlyDictionary<string, string> Columns)
{
    /// <summary>The text of a column.</summary>
    public string this[string column] => Columns[column];

    /// <summary>A configuration that could not run has zeros.</summary>
    public bool Ran => Number("avg_step_time") > 0;

    /// <summary>As in the table.</summary>
    public string Machine => this["machine"];

    /// <summary>"8b".</summary>
    public string Model => this["model_size"] + "b";

    /// <summary>Every other row of a machine and model, in the file's order, is left out of the fit.</summary>
    public required bool IsFitted { get; init; }

    /// <summary>A column as a number.</summary>
    public double Number(string column) => double.Parse(this[column], CultureInfo.InvariantCulture);

    /// <summary>What the published system was asked.</summary>
    public BaselineRequest Request(ModelConfig model) => new(
        model,
        BaselineMachine.All.Single(m => m.Name == Machine),
        int.Parse(this["seq_len"], CultureInfo.InvariantCulture),
        new MemoryBudget(Bytes.FromGiB(Number("host_mem_gb")), Bytes.FromGiB(Number("dev_mem_gb"))));

    /// <summary>All rows of the file.</summary>
    public static IReadOnlyList<PublishedRow> Read(string path)
    {
        string[] lines = [.. File.ReadAllLines(path).Where(l => l.Length > 0)];
        string[] names = lines[0].Split(',');
        var seen = new Dictionary<string, int>();
        var rows = new List<PublishedRow>();
        foreach (string line in lines.Skip(1))
        {
            var row = new PublishedRow(rows.Count, names.Zip(line.Split(',')).ToDictionary(c => c.First, c => c.Second))
            {
                IsFitted = false,
            };
            int count = row.Ran ? seen[row.Machine + row.Model] = seen.GetValueOrDefault(row.Machine + row.Model) + 1 : 0;
            rows.Add(row with { IsFitted = count % 2 == 1 });
        }

        return rows;
    }
}
