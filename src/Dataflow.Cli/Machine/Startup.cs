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
    private readonly Timer timer;
    private int shown;
    private bool over;

    private Startup(string what)
    {
        this.what = what;
        timer = new Timer(_ => Show(), null, Patience, Refresh);
    }

    /// <summary>From now on whoever sits at a terminal is told.</summary>
    public static void Listen()
    {
        if (Console.IsErrorRedirected)
        {
            return;
        }

        ActivitySource.AddActivityListener(
            new ActivityListener
            {
                ShouldListenTo = source => source.Name is "Dataflow" or Waiting.Source,
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.PropagationData,
                ActivityStarted = activity => activity.SetCustomProperty(nameof(Startup), new Startup(activity.DisplayName)),
                ActivityStopped = activity => (activity.GetCustomProperty(nameof(Startup)) as Startup)?.Dispose(),
            }
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            over = true;
            timer.Dispose();
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
