using System.Diagnostics;

namespace Dataflow.Cli;

/// <summary>Says what a terminal is waiting for, once it has waited for two seconds; says nothing to a file or a pipe.</summary>
internal sealed class Startup : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(500);
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly Lock gate = new();
    private readonly string what;
    private readonly Timer? timer;
    private int shown;
    private bool over;

    private Startup(string what)
    {
        this.what = what;
        if (!Console.IsErrorRedirected)
        {
            timer = new Timer(_ => Show(), null, Patience, Refresh);
        }
    }

    /// <summary>Runs a part of the start-up under that name.</summary>
    public static T Show<T>(string what, Func<T> work)
    {
        using var startup = new Startup(what);
        return work();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            over = true;
            timer?.Dispose();
            Console.Error.Write(shown > 0 ? "\r" + new string(' ', shown) + "\r" : "");
        }
    }

    private void Show()
    {
        lock (gate)
        {
            if (!over)
            {
                string line = $"{what} ... {clock.Elapsed.TotalSeconds:0} s";
                shown = Math.Max(shown, line.Length);
                Console.Error.Write("\r" + line);
            }
        }
    }
}
