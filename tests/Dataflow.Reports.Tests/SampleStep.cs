using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Reports.Tests;

/// <summary>
/// A step of any length whose times are worked out here: weights come in through a ring of two slots, are used, and activations go home.
/// </summary>
internal static class SampleStep
{
    private const long FetchTime = 900;
    private const long ForwardTime = 1000;
    private const long SaveTime = 400;
    private static readonly Bytes Size = new(1 << 20);

    /// <summary>Three ops a layer: a fetch, a forward that waits for it, a save that waits for that.</summary>
    public static Schedule Make(int layers)
    {
        var ops = ImmutableArray.CreateBuilder<ScheduledOp>(3 * layers);
        for (int k = 0; k < layers; k++)
        {
            int ring = k % 2;
            var freed = ops.Count - 5; // the forward before last, which read from the same slot
            ops.Add(
                Op(
                    OpKind.Fetch,
                    1,
                    k,
                    new("from", 0, 0, Bytes.Zero, Size, AccessMode.Read),
                    new("to", 0, 1 + ring, Bytes.Zero, Size, AccessMode.Write)
                ) with
                {
                    Waits = freed >= 0 ? [new Wait(freed, 0)] : [],
                }
            );
            ops.Add(
                Op(
                    OpKind.Forward,
                    0,
                    k,
                    new("w", 0, 1 + ring, Bytes.Zero, Size, AccessMode.Read),
                    new("a", 1, 3 + ring, Bytes.Zero, Size, AccessMode.Write)
                ) with
                {
                    Waits = [new Wait(ops.Count - 1, 0)],
                }
            );
            ops.Add(
                Op(
                    OpKind.Save,
                    2,
                    k,
                    new("from", 1, 3 + ring, Bytes.Zero, Size, AccessMode.Read),
                    new("to", 1, 5, Bytes.Zero, Size, AccessMode.Write)
                ) with
                {
                    Waits = [new Wait(ops.Count - 1, 0)],
                }
            );
        }

        return new Schedule
        {
            Facts = [new("model", "sample")],
            Arenas = [new("host", Size * 2), new("device", Size * 4)],
            Streams = ["compute", "h2d", "d2h"],
            Slots =
            [
                new("W.host", 0, Bytes.Zero, Size), new("W0", 1, Bytes.Zero, Size), new("W1", 1, Size, Size),
                new("A0", 1, Size * 2, Size), new("A1", 1, Size * 3, Size), new("A.host", 0, Size, Size),
            ],
            Objects = [new("W/</script><b>", Size), new("A/C0", Size)],
            Inputs = [],
            State = [new(0, 0)],
            Outputs = [new(1, 5)],
            Ops = ops.ToImmutable(),
        };
    }

    /// <summary>Each op as soon as its stream and its waits allow.</summary>
    /// <param name="slowdown">Percent that forwards take of their time.</param>
    public static Timeline Run(Schedule schedule, int slowdown = 100)
    {
        long[] free = new long[schedule.Streams.Length];
        var times = new OpTime[schedule.Ops.Length];
        for (int i = 0; i < times.Length; i++)
        {
            var op = schedule.Ops[i];
            var (start, awaited) = (free[op.Stream], OpTime.Nothing);
            foreach (var wait in op.Waits)
            {
                if (times[wait.Op].End > start)
                {
                    (start, awaited) = (times[wait.Op].End, wait);
                }
            }

            long duration = op.Kind switch { OpKind.Fetch => FetchTime, OpKind.Forward => ForwardTime * slowdown / 100, _ => SaveTime };
            times[i] = new OpTime(start, start + duration, start - free[op.Stream], awaited);
            free[op.Stream] = start + duration;
        }

        return new Timeline([.. times], free.Max());
    }

    private static ScheduledOp Op(OpKind kind, int stream, int layer, params ImmutableArray<Access> accesses) =>
        new() { Kind = kind, Stream = stream, Layer = new Layer(layer), Chunk = new Chunk(0), Round = new Round(0), Accesses = accesses };
}
