using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Reports;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// The result file of a sweep while it is made. Rows are appended whole and flushed, in the order in which they are ready, and put into the
/// experiment's order at the end. What a killed sweep leaves is gone on with: a torn last line is dropped. Beside it a file says which
/// experiment it is of.
/// </summary>
internal sealed class SweepFile : IDisposable
{
    private readonly string path;
    private readonly FileStream file;
    private readonly FileStream claim;
    private static readonly Bytes LargestResults = new(1 << 28);
    private readonly Lock gate = new();

    private SweepFile(string path, FileStream file, FileStream claim, HashSet<(string, string, long, double, double)> done) =>
        (this.path, this.file, this.claim, Done) = (path, file, claim, done);

    /// <summary>Cells that it already had.</summary>
    public HashSet<(string, string, long, double, double)> Done { get; }

    /// <summary>Where it says which experiment a result file is of.</summary>
    public static string Sidecar(string path) => path + ".sweep.json";

    /// <summary>Starts a file or goes on with it.</summary>
    /// <exception cref="UserErrorException">It is of another experiment, has other columns, is no result file, or is being
    /// written.</exception>
    public static SweepFile Open(string path, JsonObject fingerprint, IReadOnlyList<SweepCell> cells)
    {
        try
        {
            if (!File.Exists(path))
            {
                AtomicFile.WriteText(Sidecar(path), fingerprint.ToJsonString() + "\n");
            }

            var claim = Claim(path);
            FileStream? file = null;
            try
            {
                CheckExperiment(path, claim, fingerprint);
                file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
                return new SweepFile(path, file, claim, GoOn(path, file, cells));
            }
            catch
            {
                file?.Dispose();
                claim.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserErrorException($"{path} cannot be written: {e.Message}");
        }
    }

    /// <summary>Adds a row; it is on the disk when this returns.</summary>
    public void Append(ResultRow row)
    {
        byte[] line = Encoding.UTF8.GetBytes(ResultWriter.Line(row));
        lock (gate)
        {
            file.Write(line);
            file.Flush(flushToDisk: true);
        }
    }

    /// <summary>Puts the rows into the experiment's order; the file can then not be appended to.</summary>
    public IReadOnlyList<ResultRow> Finish(IReadOnlyList<SweepCell> cells)
    {
        file.Dispose();
        var lines = InputFile.ReadLines(path, LargestResults);
        var rows = ResultFile.Read(path).Rows.ToDictionary(KeyOf);
        var ordered = cells.Select(c => rows[c.Key]).ToList();
        if (!ordered.Select(r => r.Line).SequenceEqual(Enumerable.Range(2, ordered.Count)))
        {
            AtomicFile.WriteText(path, ResultWriter.Head + string.Concat(ordered.Select(r => lines[r.Line - 1] + "\n")));
        }

        return ordered;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        file.Dispose();
        claim.Dispose();
    }

    /// <summary>One sweep at a time: the file beside the results is locked for as long as the process lives.</summary>
    private static FileStream Claim(string path)
    {
        try
        {
            return new FileStream(Sidecar(path), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        }
        catch (FileNotFoundException)
        {
            throw new UserErrorException(
                $"{path} is there, and {Sidecar(path)} does not say which experiment it is of; give another --out"
            );
        }
        catch (IOException) when (File.Exists(Sidecar(path)))
        {
            throw new UserErrorException($"{path} is being written by another sweep; wait for its end, or give another --out");
        }
    }

    /// <summary>The cells that are there, after the torn line is gone.</summary>
    private static HashSet<(string, string, long, double, double)> GoOn(string path, FileStream file, IReadOnlyList<SweepCell> cells)
    {
        byte[] content = new byte[file.Length];
        file.ReadExactly(content);
        int whole = Array.LastIndexOf(content, (byte)'\n') + 1;
        string head = Encoding.UTF8.GetString(content.AsSpan(0, Array.IndexOf(content, (byte)'\n') + 1));
        if (whole > 0 && head != ResultWriter.Head)
        {
            throw new UserErrorException(
                $"{path}, line 1: it has other columns than this program writes; give another --out, or delete it"
            );
        }

        if (whole == 0 && !ResultWriter.Head.StartsWith(Encoding.UTF8.GetString(content), StringComparison.Ordinal))
        {
            throw new UserErrorException($"{path} is no result file; give another --out");
        }

        file.SetLength(whole);
        file.Position = whole;
        if (whole == 0)
        {
            file.Write(Encoding.UTF8.GetBytes(ResultWriter.Head));
            file.Flush(flushToDisk: true);
        }

        if (whole <= head.Length)
        {
            return [];
        }

        var known = cells.Select(c => c.Key).ToHashSet();
        var rows = ResultFile.Read(path).Rows;
        return rows.FirstOrDefault(r => !known.Contains(KeyOf(r))) is { } strange
            ? throw new UserErrorException(
                $"{strange.Place}: the experiment has no cell {strange.Cell}; give another --out, or delete the file"
            )
            : rows.Select(KeyOf).ToHashSet();
    }

    private static void CheckExperiment(string path, FileStream claim, JsonObject fingerprint)
    {
        JsonNode? before;
        try
        {
            before = JsonNode.Parse(claim);
        }
        catch (JsonException)
        {
            before = null;
        }

        if (before is not JsonObject)
        {
            throw new UserErrorException(
                $"{path} is there, and {Sidecar(path)} does not say which experiment it is of; give another --out"
            );
        }

        string[] changed = [.. fingerprint.Where(part => !JsonNode.DeepEquals(part.Value, before[part.Key])).Select(part => part.Key)];
        if (changed.Length > 0)
        {
            throw new UserErrorException(
                $"{path} was begun with another config ({string.Join(", ", changed)} changed since); give another --out, or delete it to "
                    + $"begin anew"
            );
        }
    }

    private static (string, string, long, double, double) KeyOf(ResultRow row) =>
        (row.Machine!, row.Model!, row.Seqlen!.Value, row.HostGiB!.Value, row.DeviceGiB!.Value);
}
