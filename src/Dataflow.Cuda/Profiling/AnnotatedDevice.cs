using System.Collections.Immutable;
using Dataflow.Cuda.Interop;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>
/// A device whose launches lie in a profiler's ranges: step, round, pass, layer and chunk; copies in ranges of their own, named by object,
/// one group a stream. A profiler projects them onto what the GPU ran. Only made where one listens, so that other runs have nothing of it.
/// </summary>
public sealed class AnnotatedDevice : ITimedDevice
{
    private readonly ITimedDevice device;
    private readonly Schedule schedule;
    private readonly Nvtx profiler;
    private readonly nint[] domains;
    private readonly byte[][] texts;
    private readonly nint[] kept;
    private readonly int[][] ranges;
    private readonly Stack<int> open = new();

    /// <summary>Over a device, which this one disposes of.</summary>
    public AnnotatedDevice(ITimedDevice device, Schedule schedule, Nvtx profiler)
    {
        (this.device, this.schedule, this.profiler) = (device, schedule, profiler);
        string DomainOf(int stream) => stream == StepStreams.Compute ? "Dataflow" : $"Dataflow {schedule.Streams[stream]}";
        domains = [.. schedule.Streams.Select((_, s) => profiler.Api.Domain(DomainOf(s)))];
        var known = new Dictionary<(int Stream, string Text), int>();
        ranges =
        [
            .. Enumerable
                .Range(0, schedule.Ops.Length)
                .Select(i => RangesOf(i).Select(r => Keep(known, schedule.Ops[i].Stream, r)).ToArray()),
        ];
        texts = [.. known.Keys.Select(k => NativeText.Of(k.Text))];
        kept = [.. known.Keys.Select(k => profiler.Api.Text(domains[k.Stream], k.Text))];
    }

    private NvtxApi Api => profiler.Api;

    /// <inheritdoc/>
    public string Name => device.Name;

    /// <inheritdoc/>
    public IDevice For(Schedule schedule, Workload workload) =>
        new AnnotatedDevice((ITimedDevice)device.For(schedule, workload), schedule, profiler);

    /// <inheritdoc/>
    public void BeginStep(in StepArguments arguments)
    {
        Api.Push(domains[StepStreams.Compute], 0, NativeText.Of($"step {arguments.Step}"));
        device.BeginStep(arguments);
    }

    /// <inheritdoc/>
    public void Wait(int stream, Wait wait) => device.Wait(stream, wait);

    /// <inheritdoc/>
    public void Launch(int op)
    {
        int stream = schedule.Ops[op].Stream;
        int[] path = ranges[op];
        if (stream == StepStreams.Compute)
        {
            EnterCommon(path);
        }

        Push(stream, path[^1]);
        device.Launch(op);
        Api.Pop(domains[stream]);
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
        Leave(0);
        device.Synchronize();
        Api.Pop(domains[StepStreams.Compute]);
    }

    /// <inheritdoc/>
    public void Write(int slot, Bytes offset, ReadOnlySpan<byte> source) => device.Write(slot, offset, source);

    /// <inheritdoc/>
    public void Read(int slot, Bytes offset, Span<byte> destination) => device.Read(slot, offset, destination);

    /// <inheritdoc/>
    public void MeasureNextStep(StepDetail detail = StepDetail.Ops) => device.MeasureNextStep(detail);

    /// <inheritdoc/>
    public Timeline MeasuredStep() => device.MeasuredStep();

    /// <inheritdoc/>
    public IReadOnlyList<KernelTime> MeasuredKernels() => device.MeasuredKernels();

    /// <inheritdoc/>
    public void Dispose() => device.Dispose();

    /// <summary>Compute ops have all their ranges; those of a copy say its object and nothing else.</summary>
    private ImmutableArray<string> RangesOf(int op) =>
        schedule.Ops[op].Stream == StepStreams.Compute ? OpRanges.Of(schedule, op) : [TimelineTrace.NameOf(schedule, op)];

    private static int Keep(Dictionary<(int, string), int> known, int stream, string text)
    {
        if (!known.TryGetValue((stream, text), out int index))
        {
            known[(stream, text)] = index = known.Count;
        }

        return index;
    }

    /// <summary>Leaves the ranges that the op is not in and enters those that it is in, its own excepted.</summary>
    private void EnterCommon(int[] path)
    {
        int common = 0;
        foreach (int range in open.Reverse())
        {
            if (common == path.Length - 1 || path[common] != range)
            {
                break;
            }

            common++;
        }

        Leave(common);
        for (int i = common; i < path.Length - 1; i++)
        {
            Push(StepStreams.Compute, path[i]);
            open.Push(path[i]);
        }
    }

    private void Leave(int depth)
    {
        while (open.Count > depth)
        {
            Api.Pop(domains[StepStreams.Compute]);
            _ = open.Pop();
        }
    }

    private void Push(int stream, int range) => Api.Push(domains[stream], kept[range], texts[range]);
}
