using System.Diagnostics;
using System.Text.Json.Nodes;
using Dataflow.Cuda;

namespace Dataflow.GpuCheck;

/// <summary>
/// Looks at the GPU's used memory again and again. Nothing is allocated within a step, so that a pause of some steps misses nothing; looks
/// take locks of the driver, so that many of them cost the run that is watched: what they cost is in the result.
/// </summary>
internal sealed class MemoryWatch : IDisposable
{
    private readonly GpuMonitor monitor;
    private readonly TimeSpan pause;
    private readonly Thread thread;
    private readonly ManualResetEventSlim over = new();
    private readonly Stopwatch asking = new();
    private long peak;
    private long samples;

    /// <summary>Begins.</summary>
    /// <param name="pause">Between two looks.</param>
    public MemoryWatch(GpuMonitor monitor, TimeSpan pause)
    {
        (this.monitor, this.pause) = (monitor, pause);
        thread = new Thread(Look) { IsBackground = true };
        thread.Start();
    }

    /// <summary>Ends, and says the most that was seen, in bytes.</summary>
    public long Stop()
    {
        over.Set();
        thread.Join();
        return peak;
    }

    /// <summary>How often it looked and what a look took, once it has stopped.</summary>
    public JsonObject ToJson() => new()
    {
        ["samples"] = samples,
        ["pause_seconds"] = pause.TotalSeconds,
        ["seconds_of_a_look"] = samples > 0 ? asking.Elapsed.TotalSeconds / samples : null,
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        Stop();
        over.Dispose();
    }

    private void Look()
    {
        do
        {
            asking.Start();
            long used = monitor.Memory().Used.Value;
            asking.Stop();
            peak = Math.Max(peak, used);
            samples++;
        }
        while (!over.Wait(pause));
    }
}
