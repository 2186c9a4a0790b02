using System.Diagnostics;
using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// Looks at a few steps of a run more closely: the second, since the first finds cold caches, then one every ten seconds, and those whose
/// values are asked for. So whatever looking costs is lost in the steps between; which steps these are changes no result.
/// </summary>
/// <param name="device">Runs the steps.</param>
/// <param name="schedule">What it runs.</param>
/// <param name="experts">Of each layer that has any; 0: the model has none.</param>
/// <param name="memory">Watches the GPU's memory; null where there is no GPU.</param>
/// <param name="values">Looks at weights and gradients every so many steps; null: nobody does.</param>
internal sealed class StepSampler(
    IDevice device, Schedule schedule, int experts, GpuBudget? memory, (GroupHistograms Of, int Every)? values)
{
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(10);
    private readonly SortedDictionary<int, long[]> rows = [];
    private readonly Lock gate = new();
    private readonly int[] firstRows = new int[experts + 1];
    private IDisposable? looking;
    private long last;
    private int steps;
    private bool sampled;
    private GroupHistograms? spread;

    /// <summary>Before a step.</summary>
    public void Before(int step)
    {
        steps++;
        spread = values is { } some && step % some.Every == 0 ? some.Of : null;
        sampled = spread is not null || steps == 2 || (steps > 2 && Stopwatch.GetElapsedTime(last) >= s_between);
        if (!sampled)
        {
            return;
        }

        (device as ITimedDevice)?.MeasureNextStep();
        if (experts > 0 && device is IInspectableDevice inspectable)
        {
            rows.Clear();
            looking = inspectable.Inspect(Look);
        }

        spread?.Before();
    }

    /// <summary>After it; null where it was not looked at.</summary>
    public StepSample? After()
    {
        looking?.Dispose();
        looking = null;
        if (!sampled)
        {
            return null;
        }

        last = Stopwatch.GetTimestamp();
        return new StepSample(
            device is ITimedDevice timed ? SharesOf(timed.MeasuredStep(), schedule) : [],
            [.. rows.Select(layer => Spread(layer.Key, layer.Value))],
            new Bytes(Environment.WorkingSet),
            memory?.Used
        )
        {
            Values = spread?.After(),
        };
    }

    /// <summary>How busy each stream is in a step.</summary>
    public static IReadOnlyList<StreamShare> SharesOf(Timeline step, Schedule schedule) =>
    [
        .. schedule.Streams.Select((name, stream) => new StreamShare(
            name,
            step.StepNanoseconds > 0 ? Math.Clamp((double)step.Busy(schedule, stream) / step.StepNanoseconds, 0, 1) : 0
        )),
    ];

    private static ExpertSpread Spread(int layer, long[] tokens)
    {
        double mean = Math.Max(1.0 / tokens.Length, tokens.Average());
        return new ExpertSpread(layer, tokens.Max() / mean, tokens.Min() / mean, tokens.Count(t => t == 0));
    }

    // A recomputation routes the same tokens once more.
    private void Look(CompletedCall call)
    {
        if (call is not { Op: { Kind: OpKind.Forward, Layer: { } layer }, Call: RoutingCall routing })
        {
            return;
        }

        lock (gate)
        {
            call.Memory.Read(call.Operands.Pointer(routing.ExpertRows), MemoryMarshal.AsBytes(firstRows.AsSpan()));
            if (!rows.TryGetValue(layer.Index, out long[]? sums))
            {
                rows[layer.Index] = sums = new long[experts];
            }

            for (int e = 0; e < experts; e++)
            {
                sums[e] += firstRows[e + 1] - firstRows[e];
            }
        }
    }
}
