using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Reports;

namespace Dataflow;

/// <summary>Frontiers for people: one table a point, one row a model and sequence length.</summary>
public static class FrontierReport
{
    private const int KindsShown = 3;
    private const double LeastShare = 0.05;
    private const int HashShown = 16;

    /// <summary>All of it.</summary>
    public static void Write(TextWriter output, IReadOnlyList<FrontierRow> rows, string? note, bool markdown)
    {
        string recipes = string.Join(", ", rows.Select(r => r.Request.Recipe.Name).Distinct());
        output.WriteLine($"{(markdown ? "# " : "")}Memory frontier, {recipes}");
        if (note is not null)
        {
            output.WriteLine(markdown ? "\n" + MarkdownText.Escape(note) : note);
        }

        foreach (string frozen in rows.Select(r => r.Request.Model.Frozen?.Patterns).OfType<string>().Distinct())
        {
            output.WriteLine(markdown ? $"\nFrozen: {MarkdownText.Escape(frozen)}" : $"Frozen: {frozen}");
        }

        Section(
            output,
            rows,
            0,
            r => r.Frontier.LeastDevice,
            markdown,
            "Least device memory",
            "With as much host memory as it takes. Everything that travels takes turns: save, fetch and compute wait for each other."
        );
        Section(
            output,
            rows,
            1,
            r => r.Frontier.BesideCompute,
            markdown,
            "Least device memory with copies beside compute",
            "Two slots for everything that travels. The factor is against the table above."
        );
        Section(
            output,
            rows,
            2,
            r => r.Frontier.LeastHost,
            markdown,
            "Least host memory",
            "With as much device memory as it takes: all that can stays on the device."
        );
    }

    private static void Section(
        TextWriter output,
        IReadOnlyList<FrontierRow> rows,
        int index,
        Func<FrontierRow, FrontierPoint> pointOf,
        bool markdown,
        string title,
        string meaning
    )
    {
        bool hashes = rows.Any(r => r.Hashes[index] is not null);
        var table = new TextTable([
            "model",
            "seqlen",
            "model state",
            "device",
            "x least",
            "host",
            "chunk",
            "vocabulary blocks",
            "keeps",
            "windows",
            "largest on the device",
            .. hashes ? ["plan"] : Array.Empty<string>(),
        ]);
        foreach (var row in rows)
        {
            var point = pointOf(row);
            table.Add([
                row.Request.Model.Name,
                $"{row.Request.Seqlen}",
                Short(row.ModelState),
                Short(point.Memory.Device),
                PlanReport.Ratio(point.Memory.Device, row.Frontier.LeastDevice.Memory.Device),
                Short(point.Memory.Host),
                $"{point.Workload.Geometry.ChunkTokens}",
                $"{point.Workload.Geometry.VocabularyBlocks}",
                SaveSets.NameOf(point.Residency.Travelling),
                PlanReport.Windows(point.Residency),
                Largest(point),
                .. hashes ? [row.Hashes[index]![..HashShown]] : Array.Empty<string>(),
            ]);
        }

        output.WriteLine();
        output.WriteLine(markdown ? $"## {title}\n\n{meaning}\n" : $"{title}. {meaning}");
        if (markdown)
        {
            table.WriteMarkdownTo(output);
        }
        else
        {
            table.WriteTo(output);
        }
    }

    /// <summary>"parameters 45%, gradients 30%": the largest kinds of objects, without those that hardly matter.</summary>
    private static string Largest(FrontierPoint point)
    {
        double Share(DeviceShare s) => (double)s.Bytes.Value / point.Memory.Device.Value;
        return string.Join(
            ", ",
            point
                .OnDevice.Take(KindsShown)
                .Where((s, i) => i == 0 || Share(s) >= LeastShare)
                .Select(s => $"{s.Kind} {Short(s.Bytes)} ({Share(s):0%})")
        );
    }

    private static string Short(Bytes size) => size.Value >= 1L << 30 ? $"{size.GiB:N2} GiB" : size.ToString();
}
