using Dataflow.Model;

namespace Dataflow.Reports;

/// <summary>What the columns of another program's CSV are, by our names.</summary>
public sealed record ColumnMapping(IReadOnlyDictionary<string, string> Columns)
{
    /// <summary>No mapping: a file has our names.</summary>
    public static ColumnMapping None { get; } = new(new Dictionary<string, string>());

    /// <summary>"machine=gpu,tok_per_sec=throughput": ours, an equals sign, the file's.</summary>
    /// <exception cref="UserErrorException">It is no mapping, or names no column of ours.</exception>
    public static ColumnMapping Parse(string text)
    {
        var columns = new Dictionary<string, string>();
        foreach (string pair in text.Split(',', StringSplitOptions.TrimEntries))
        {
            int at = pair.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0 || at == pair.Length - 1)
            {
                throw new UserErrorException(
                    $"'{pair}' maps no column; write a result column, an equals sign and the file's own, as in "
                        + $"machine=gpu,tok_per_sec=throughput"
                );
            }

            string ours = pair[..at].Trim();
            if (ResultColumns.Find(ours) is null)
            {
                throw new UserErrorException(
                    $"'{ours}' is no result column; choose among {string.Join(", ", ResultColumns.All.Select(c => c.Name))}"
                );
            }

            if (!columns.TryAdd(ours, pair[(at + 1)..].Trim()))
            {
                throw new UserErrorException($"'{ours}' is mapped twice; name it once");
            }
        }

        return new ColumnMapping(columns);
    }
}
