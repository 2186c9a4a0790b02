namespace Dataflow.Tests;

/// <summary>
/// A clock of a test's own. Waits between requests are over at once, and are noted; a wait as long as <see cref="Silence"/> ends only when
/// the test lets that much time pass.
/// </summary>
internal sealed class TestClock : TimeProvider
{
    /// <summary>Longer than any wait between requests.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromHours(1);

    private static readonly DateTimeOffset s_start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Lock gate = new();
    private readonly List<TimeSpan> waits = [];
    private readonly List<Timer> held = [];
    private TimeSpan now;

    /// <summary>Waits between requests so far.</summary>
    public double[] Waits
    {
        get
        {
            lock (gate)
            {
                return [.. waits.Select(w => w.TotalSeconds)];
            }
        }
    }

    public override DateTimeOffset GetUtcNow() => s_start + now;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Lets time pass.</summary>
    public void Advance(TimeSpan time)
    {
        Timer[] over;
        lock (gate)
        {
            now += time;
            over = [.. held.Where(t => t.Due <= now)];
            held.RemoveAll(over.Contains);
        }

        Array.ForEach(over, t => t.Fire());
    }

    private sealed class Timer(TestClock clock, TimerCallback callback, object? state) : ITimer
    {
        public TimeSpan Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock.gate)
            {
                clock.held.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan)
                {
                    return true;
                }

                if (dueTime >= Silence)
                {
                    Due = clock.now + dueTime;
                    clock.held.Add(this);
                    return true;
                }

                clock.waits.Add(dueTime);
            }

            ThreadPool.QueueUserWorkItem(_ => Fire());
            return true;
        }

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (clock.gate)
            {
                clock.held.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
