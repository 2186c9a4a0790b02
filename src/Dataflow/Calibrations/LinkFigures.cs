using System.Diagnostics;
using System.Runtime.InteropServices;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow;

/// <summary>
/// What copies and launches take on a device: bytes a second of each direction alone and with the other one busy, seconds of a small one.
/// </summary>
public sealed record LinkFigures(
    double ToDevice,
    double ToDeviceBoth,
    double ToHost,
    double ToHostBoth,
    double ToDeviceLatency,
    double ToHostLatency,
    double Launch
)
{
    /// <summary>Seconds of a launch within a CUDA graph; null where nothing has graphs.</summary>
    public double? GraphLaunch { get; private init; }

    private const int SmallCopies = 256;
    private const int Launches = LaunchCost.Launches;
    private static readonly Bytes SmallCopy = new(1 << 10);

    /// <summary>Measures them.</summary>
    /// <param name="create">Makes a device for a schedule.</param>
    /// <param name="size">Of one copy: what objects of the models have.</param>
    /// <param name="copies">Of that size, in each direction.</param>
    /// <param name="seconds">For all of it, about.</param>
    /// <param name="launch">What launches take by the device's own clock; null: the host's measures them.</param>
    public static LinkFigures Measure(
        Func<Schedule, ITimedDevice> create,
        Bytes size,
        int copies,
        double seconds,
        Func<LaunchCost>? launch = null
    )
    {
        const int parts = 6;
        double part = seconds / parts;
        double[] Rates(Schedule schedule)
        {
            using var device = create(schedule);
            FillWithNormals(device, schedule);
            return MeanRates(new Executor(schedule, device), device, part);
        }

        double each(Schedule schedule)
        {
            using var device = create(schedule);
            return MedianStep(new Executor(schedule, device), part / 2) / schedule.Ops.Length;
        }

        double[] both = Rates(TransferSchedule.Copies(copies, copies, size));
        int inbound = StepStreams.Of(LinkDirection.HostToDevice), outbound = StepStreams.Of(LinkDirection.DeviceToHost);
        var launches = launch?.Invoke();
        return new LinkFigures(
            Rates(TransferSchedule.Copies(copies, 0, size))[inbound], both[inbound],
            Rates(TransferSchedule.Copies(0, copies, size))[outbound], both[outbound],
            each(TransferSchedule.Copies(SmallCopies, 0, SmallCopy)), each(TransferSchedule.Copies(0, SmallCopies, SmallCopy)),
            launches?.GpuSeconds ?? each(TransferSchedule.Launches(Launches)))
        {
            GraphLaunch = launches?.GraphSeconds,
        };
    }

    /// <summary>Bytes a second by stream, over all copies of steps that were measured one by one; the first step warms up.</summary>
    private static double[] MeanRates(Executor executor, ITimedDevice device, double seconds)
    {
        var schedule = executor.Schedule;
        int streams = schedule.Streams.Length;
        var (all, beside) = (new (double Bytes, double Seconds)[streams], new (double Bytes, double Seconds)[streams]);
        executor.RunStep(default);
        var clock = Stopwatch.StartNew();
        do
        {
            device.MeasureNextStep();
            executor.RunStep(default);
            var times = device.MeasuredStep().Ops;

            // Where both directions run, only what ran beside the other one counts.
            long common = Enumerable
                .Range(0, streams)
                .Select(s =>
                    Enumerable
                        .Range(0, times.Length)
                        .Where(i => schedule.Ops[i].Stream == s)
                        .Select(i => times[i].End)
                        .DefaultIfEmpty(long.MaxValue)
                        .Max()
                )
                .Min();
            for (int i = 0; i < times.Length; i++)
            {
                var (stream, bytes, busy) = (
                    schedule.Ops[i].Stream,
                    schedule.Ops[i].Accesses[0].Length.Value,
                    Math.Max(times[i].Duration, 1) / 1e9
                );
                all[stream] = (all[stream].Bytes + bytes, all[stream].Seconds + busy);
                if (times[i].End <= common)
                {
                    beside[stream] = (beside[stream].Bytes + bytes, beside[stream].Seconds + busy);
                }
            }
        }
        while (clock.Elapsed.TotalSeconds < seconds);

        // Where one direction was through before the other began (the emulated driver may do so), there is nothing beside.
        return [.. beside.Zip(all, (b, a) => b.Bytes > 0 ? b.Bytes / b.Seconds : a.Bytes / a.Seconds)];
    }

    private static double MedianStep(Executor executor, double seconds)
    {
        var steps = new List<double>();
        executor.RunStep(default);
        var clock = Stopwatch.StartNew();
        do
        {
            long before = Stopwatch.GetTimestamp();
            executor.RunStep(default);
            steps.Add(Stopwatch.GetElapsedTime(before).TotalSeconds);
        }
        while (clock.Elapsed.TotalSeconds < seconds);
        steps.Sort();
        return steps[steps.Count / 2];
    }

    /// <summary>Realistic bytes: links and memories may treat zeros better.</summary>
    private static void FillWithNormals(ITimedDevice device, Schedule schedule)
    {
        var random = new Random(1);
        float[] values = new float[1 << 18];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        var bytes = MemoryMarshal.AsBytes(values.AsSpan());
        for (int s = 0; s < schedule.Slots.Length; s++)
        {
            for (long at = 0; at < schedule.Slots[s].Length.Value; at += bytes.Length)
            {
                device.Write(s, new Bytes(at), bytes[..(int)Math.Min(bytes.Length, schedule.Slots[s].Length.Value - at)]);
            }
        }
    }
}
