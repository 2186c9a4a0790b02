using System.Diagnostics;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>
/// Tells of a model that is being fetched: whoever sits at a terminal how far it is, once a second; a file or a pipe one line a file.
/// </summary>
/// <param name="repository">"owner/name".</param>
/// <param name="files">Whether files have lines at all.</param>
internal sealed class FetchReport(string repository, bool files) : IDisposable
{
    private static readonly TimeSpan s_refresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_telling = TimeSpan.FromSeconds(3); // before, little more than the first connection was measured
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly bool isTerminal = !Console.IsErrorRedirected;
    private TimeSpan last = -s_refresh;
    private int shown;

    /// <summary>Tells of an event.</summary>
    public void Take(HubEvent happened)
    {
        switch (happened)
        {
            case HubEvent.Progressed progress when isTerminal && clock.Elapsed - last >= s_refresh:
                last = clock.Elapsed;
                Show(Progress(repository, progress.Done, progress.Missing, clock.Elapsed));
                break;
            case HubEvent.Fetched fetched when files && !isTerminal:
                Console.Out.WriteLine($"{fetched.File}: {fetched.Length}");
                break;
            case HubEvent.Held held:
                Tell($"another program is fetching {held.File}; waiting for it");
                break;
            case HubEvent.Retrying retry:
                Tell($"{retry.What}: {retry.Why}; again in {retry.Wait.TotalSeconds:0} s");
                break;
        }
    }

    /// <summary>How far it is; the time left is that of the bytes so far, taken for all that are left.</summary>
    public static string Progress(string repository, Bytes done, Bytes missing, TimeSpan elapsed)
    {
        double seconds = done.Value <= 0 ? 0 : elapsed.TotalSeconds / done.Value * Math.Max(0, missing.Value - done.Value);
        string left = done.Value <= 0 || elapsed < s_telling ? ""
            : seconds < 90 ? $", about {seconds:0} s left"
            : seconds < 5400 ? $", about {seconds / 60:0} min left"
            : $", about {seconds / 3600:0.0} h left";
        return $"{repository}: {done} of {missing}{left}";
    }

    /// <summary>What became of it.</summary>
    public static string Line(HubSnapshot snapshot) =>
        (snapshot.Note is { } note ? note + "; " : "")
        + (snapshot.FetchedFiles == 0
            ? $"all {snapshot.Files:N0} files of {snapshot.Repository} ({snapshot.Length}) are there already"
            : $"{snapshot.Repository} is there: {snapshot.Files:N0} files, {snapshot.Length}, of which {snapshot.Fetched} were fetched")
        + $", commit {snapshot.Commit}, in {snapshot.Folder}";

    /// <inheritdoc/>
    public void Dispose() => Show("");

    /// <summary>A line of its own, above that of the progress.</summary>
    private void Tell(string line)
    {
        Show("");
        Messages.Tell(line);
    }

    private void Show(string line)
    {
        if (!isTerminal || (line.Length == 0 && shown == 0))
        {
            return;
        }

        try
        {
            Console.Error.Write("\r" + line.PadRight(shown) + (line.Length == 0 ? "\r" : ""));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody looks any more.
        }

        shown = line.Length;
    }
}
