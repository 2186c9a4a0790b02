using System.Globalization;

namespace Dataflow.Model.Tests;

public sealed class OptimizerPageTests
{
    private static readonly IReadOnlyList<string[]> s_rows =
    [
        .. Repository
            .Read("docs", "optimizers.md")
            .Split('\n')
            .Select(line => line.Split('|', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)),
    ];

    [Fact]
    public void The_table_of_state_is_the_programs()
    {
        static string Text(double bytes) => bytes.ToString("0.##", CultureInfo.InvariantCulture);
        string[][] want =
        [
            ["optimizer", .. Recipe.All.Select(r => r.Name)],
            .. Optimizer.All.Select(o =>
                (string[])
                    [$"`{o}`", .. Recipe.All.Select(r => $"{Text(o.StateBytes(r))} ({Text(o.BytesPerParameter(r))})")]
            ),
        ];
        Assert.Equal(
            want,
            s_rows.Where(cells => cells.Length == Recipe.All.Count + 1 && !cells[0].StartsWith("---", StringComparison.Ordinal))
        );
    }

    /// <summary>The first rate that is named is the default.</summary>
    [Fact]
    public void Every_optimizer_is_said_to_be_for_something_at_its_default_rate()
    {
        var said = s_rows
            .Where(cells => cells.Length == 3 && cells[0].StartsWith('`'))
            .ToDictionary(cells => cells[0].Trim('`'), cells => cells[2]);
        Assert.Equal(Optimizer.All.Select(o => o.Name), said.Keys);
        foreach (var optimizer in Optimizer.All)
        {
            string text = said[optimizer.Name];
            string rate = (text.StartsWith("as `adamw`", StringComparison.Ordinal) ? said["adamw"] : text).Split(';', ',', ' ')[0];
            Assert.Equal(optimizer.Defaults.LearningRate, float.Parse(rate, CultureInfo.InvariantCulture));
        }
    }
}
