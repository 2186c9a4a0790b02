using System.Diagnostics;

namespace Dataflow.Cli;

/// <summary>Says on a terminal how far a sweep is and how long it will take; says nothing to a file or a pipe.</summary>
/// <param name="name">The experiment's.</param>
/// <param name="total">Cells of the experiment.</param>
/// <param name="before">Cells that were done before.</param>
internal sealed class SweepProgress(string name, int total, int before) : IDisposable
{
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(200);
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly Lock gate = new();
    private TimeSpan last = -Refresh;
    private int done;
    private int infeasible;
    private int shown;

    /// <summary>Since the sweep went on.</summary>
    public TimeSpan Elapsed => clock.Elapsed;

    /// <summary>A cell is done.</summary>
    public void Count(bool feasible)
    {
        lock (gate)
        {
            done++;
            infeasible += feasible ? 0 : 1;
            if (!Console.IsErrorRedirected && (clock.Elapsed - last > Refresh || before + done == total))
            {
                last = clock.Elapsed;
                string line = Line(name, total, before, done, infeasible, clock.Elapsed);
                Console.Error.Write("\r" + line.PadRight(shown));
                shown = line.Length;
            }
        }
    }

    /// <summary>What it says; the time left is that of the cells so far, taken for all that are left.</summary>
    public static string Line(string name, int total, int before, int done, int infeasible, TimeSpan elapsed)
    {
        int left = total - before - done;
        double seconds = done == 0 ? 0 : elapsed.TotalSeconds / done * left;
        string time =
            left == 0 ? "done"
            : done == 0 ? ""
            : seconds < 90 ? $"about {seconds:0} s left"
            : seconds < 5400 ? $"about {seconds / 60:0} min left"
            : $"about {seconds / 3600:0.0} h left";
        return $"{name}: {before + done:N0} of {total:N0} cells{(infeasible > 0 ? $", {infeasible:N0} infeasible" : "")}, {time}";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        clock.Stop();
        if (shown > 0)
        {
            Console.Error.Write("\r" + new string(' ', shown) + "\r");
            shown = 0;
        }
    }
}
