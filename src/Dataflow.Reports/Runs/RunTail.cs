using System.Text;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Reports;

/// <summary>
/// A run's metrics.jsonl as it grows: each look takes the lines that have come since. A file that was cut, since the run takes steps anew,
/// is read from its beginning again.
/// </summary>
public sealed class RunTail
{
    private const string Name = "metrics.jsonl";
    private const string Head = """{"event":"run",""";
    private const int PieceBytes = 1 << 16;

    private static readonly IReadOnlyDictionary<string, string> s_none = new Dictionary<string, string>();

    private readonly string path;
    private readonly Func<IReadOnlyDictionary<string, string>> settings;
    private readonly byte[] piece = new byte[PieceBytes];
    private readonly List<byte> open = [];
    private readonly List<string> fresh = [];
    private long at;
    private byte[] before = [];

    private RunTail(string path, string name, Func<IReadOnlyDictionary<string, string>> settings)
    {
        this.path = path;
        this.settings = settings;
        Run = new RunLines(name);
    }

    /// <summary>What is shown of it.</summary>
    public RunLines Run { get; }

    /// <summary>Opens those of several folders.</summary>
    /// <param name="folders">Of runs; or such files themselves.</param>
    /// <param name="settings">What a folder's run file says, asked for when a run begins or is gone on with; null: it is not shown.</param>
    /// <exception cref="UserErrorException">One has no figures.</exception>
    public static IReadOnlyList<RunTail> OpenAll(
        IReadOnlyList<string> folders, Func<string, IReadOnlyDictionary<string, string>>? settings = null)
    {
        string[] paths = [.. folders.Select(f => Directory.Exists(f) ? Path.Combine(f, Name) : f)];
        foreach (var (path, folder) in paths.Zip(folders))
        {
            if (!File.Exists(path))
            {
                throw new UserErrorException(
                    $"{folder} has no {Name}; name the folder that a run has as its --checkpoint, which writes its figures there");
            }
        }

        string[] names = [.. paths.Select(p => Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(p))!))];
        bool same = names.Distinct().Count() < names.Length;
        return [.. paths.Select((path, i) => new RunTail(
            path, same ? folders[i] : names[i], () => settings?.Invoke(folders[i]) ?? s_none))];
    }

    /// <summary>Takes what has come.</summary>
    /// <returns>The new lines that are shown; null where what was shown before counts no more.</returns>
    /// <exception cref="UserErrorException">The file cannot be read.</exception>
    public IReadOnlyList<string>? Look()
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            bool cut = file.Length < at || !IsAsBefore(file);
            if (cut)
            {
                (at, before) = (0, []);
                open.Clear();
                Run.Clear();
            }

            fresh.Clear();
            file.Position = at;
            int count;
            while ((count = file.Read(piece)) > 0)
            {
                at += count;
                Take(piece.AsSpan(0, count));
            }

            Remember(file);
            bool begun = fresh.Any(l => l.StartsWith(Head, StringComparison.Ordinal));
            Run.Settings = begun ? settings() : Run.Settings;
            return cut || begun ? null : [.. fresh];
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unreadable(path, e);
        }
    }

    private void Take(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            if (value != '\n')
            {
                open.Add(value);
                continue;
            }

            string line = Encoding.UTF8.GetString([.. open]);
            open.Clear();
            if (Run.Add(line))
            {
                fresh.Add(line);
            }
        }
    }

    // A file that was cut and has grown beyond where it was differs there: lines have their time.
    private bool IsAsBefore(FileStream file)
    {
        byte[] now = new byte[before.Length];
        file.Position = at - before.Length;
        return file.ReadAtLeast(now, now.Length, throwOnEndOfStream: false) == now.Length && now.AsSpan().SequenceEqual(before);
    }

    private void Remember(FileStream file)
    {
        before = new byte[Math.Min(at, 256)];
        file.Position = at - before.Length;
        file.ReadExactly(before);
    }
}
