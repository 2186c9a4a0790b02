using System.Text;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The file of a run's figures: a JSON object a line, appended whole and handed to the system at once, so that a killed program loses no
/// line. Lines of steps that are taken anew are cut off first, and each step stands there once.
/// </summary>
public sealed class MetricsFile : IDisposable
{
    /// <summary>Its name in a run's folder.</summary>
    public const string Name = "metrics.jsonl";

    private readonly FileStream file;

    private MetricsFile(string path, FileStream file) => (Path, this.file) = (path, file);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Begins a run's file or goes on with it.</summary>
    /// <param name="folder">The run's; it is there.</param>
    /// <param name="step">The last step that was taken, of which lines remain; 0: none.</param>
    /// <param name="before">The folder of the run that is gone on with, whose lines come first; null: there is none.</param>
    /// <exception cref="UserErrorException">It cannot be read or written.</exception>
    public static MetricsFile Open(string folder, int step, string? before)
    {
        string path = System.IO.Path.Combine(folder, Name);
        FileStream? opened = null;
        try
        {
            opened = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
            var lines = new MetricsFile(path, opened);
            string earlier = before is null ? path : System.IO.Path.Combine(before, Name);
            if (System.IO.Path.GetFullPath(earlier) != System.IO.Path.GetFullPath(path))
            {
                opened.SetLength(0);
                lines.Copy(earlier);
            }

            lines.KeepUntil(step);
            return lines;
        }
        catch (Exception e) when (FileErrors.IsFileError(e) || e is UserErrorException)
        {
            opened?.Dispose();
            if (e is UserErrorException)
            {
                throw;
            }

            throw FileErrors.Unwritable(path, e);
        }
    }

    /// <summary>Adds a line; once this returns, another program reads it, and the end of this one does not lose it.</summary>
    /// <param name="line">A JSON object; what belongs to a step has its number as "step".</param>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public void Append(string line) => Guard(() =>
    {
        file.Write(Encoding.UTF8.GetBytes(line + "\n"));
        file.Flush();
    });

    /// <summary>Cuts off the lines of later steps, and what follows a line that is not whole.</summary>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public void KeepUntil(int step) => Guard(() =>
    {
        file.Position = 0;
        long kept = 0;
        using (var reader = new StreamReader(stream: file, Encoding.UTF8, leaveOpen: true))
        {
            while (step > 0 && reader.ReadLine() is { } line)
            {
                long end = kept + Encoding.UTF8.GetByteCount(line) + 1;
                if (end > file.Length || !IsUntil(step, line))
                {
                    break;
                }

                kept = end;
            }
        }

        file.SetLength(kept);
        file.Position = kept;
    });

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    private void Guard(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unwritable(Path, e);
        }
    }

    private static bool IsUntil(int step, string line)
    {
        try
        {
            using var parsed = JsonDocument.Parse(line);
            return parsed.RootElement.ValueKind == JsonValueKind.Object
                && (!parsed.RootElement.TryGetProperty("step", out var number) || (number.TryGetInt32(out int at) && at <= step));
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void Copy(string earlier)
    {
        if (!File.Exists(earlier))
        {
            return;
        }

        using var source = new FileStream(earlier, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        source.CopyTo(file);
        file.Flush();
    }
}
