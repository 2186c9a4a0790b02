using System.Diagnostics;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>What a launch costs, by the GPU's own clock and by the host's.</summary>
/// <param name="GpuSeconds">From the start of a kernel that does next to nothing to the start of the next, with all of them queued before
/// the first begins.</param>
/// <param name="HostSeconds">What the host takes to queue one: where this is more, small kernels wait for the host.</param>
/// <param name="Kernels">How many were launched and counted.</param>
/// <param name="QueuedAhead">Whether all were queued before the first began; else <paramref name="GpuSeconds"/> may be the host's.</param>
public sealed record LaunchCost(double GpuSeconds, double HostSeconds, int Kernels, bool QueuedAhead)
{
    /// <summary>As <see cref="GpuSeconds"/>, of kernels that are one CUDA graph, with what it takes to begin one in it.</summary>
    public required double GraphSeconds { get; init; }

    /// <summary>Kernels of all bursts.</summary>
    public const int Launches = 2000;

    // The driver's queue holds about a thousand launches: a burst that is longer would wait for the GPU halfway.
    private const int BurstLaunches = 500;
    private const int MostAttempts = 6;
    private const int FirstFills = 8;
    private const int Tiny = 4096;
    private static readonly Bytes s_held = new(256L << 20);

    /// <summary>
    /// Measures: bursts of one-block kernels behind fills that keep the GPU busy until the burst is queued whole, an event on either side
    /// of it. Nothing else may run on the GPU.
    /// </summary>
    public static LaunchCost Measure(CudaContext context, KernelImages images)
    {
        var held = CudaEmulation.IsOn ? new Bytes(Tiny) : s_held;
        using var module = images.Load(context, "zero");
        var zero = module.Function("zero_bytes");
        using var memory = DeviceMemory.Allocate(context, held, "the measurement of launches");
        using var stream = CudaStream.Create(context);
        using var start = CudaEvent.Create(context, EventTiming.On);
        using var end = CudaEvent.Create(context, EventTiming.On);
        var shape = new LaunchShape(1, 256);
        var (gpu, host, inGraph) = (new List<double>(), new List<double>(), new List<double>());
        bool ahead = true;
        int fills = FirstFills;

        void Burst()
        {
            for (int i = 0; i < BurstLaunches; i++)
            {
                zero.Launch(stream, shape, memory.Start, (long)Tiny);
            }
        }

        // The first burst warms up.
        for (int burst = 0; burst <= Launches / BurstLaunches; burst++)
        {
            for (int attempt = 0; ; attempt++)
            {
                for (int i = 0; i < fills; i++)
                {
                    stream.Fill(memory.Start, 0, held);
                }

                long before = Stopwatch.GetTimestamp();
                stream.Record(start);
                Burst();

                stream.Record(end);
                double queued = Stopwatch.GetElapsedTime(before).TotalSeconds;
                bool waited = !start.HasCompleted();
                end.Synchronize();
                if (!waited && attempt + 1 < MostAttempts)
                {
                    fills *= 2;
                    continue;
                }

                if (burst > 0)
                {
                    gpu.Add(end.MillisecondsSince(start) / 1e3 / BurstLaunches);
                    host.Add(queued / BurstLaunches);
                    ahead &= waited;
                }

                break;
            }
        }

        using var graph = CudaGraph.Capture(context, stream, Burst);
        for (int burst = 0; burst <= Launches / BurstLaunches; burst++)
        {
            stream.Fill(memory.Start, 0, held);
            stream.Record(start);
            graph.Launch(stream);
            stream.Record(end);
            end.Synchronize();
            if (burst > 0)
            {
                inGraph.Add(end.MillisecondsSince(start) / 1e3 / BurstLaunches);
            }
        }

        return new LaunchCost(Median(gpu), Median(host), gpu.Count * BurstLaunches, ahead) { GraphSeconds = Median(inGraph) };
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return (values[values.Count / 2] + values[(values.Count - 1) / 2]) / 2;
    }
}
