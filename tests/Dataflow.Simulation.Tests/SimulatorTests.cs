using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation.Tests;

/// <summary>The virtual clocks against timelines derived by hand and against the recurrence that defines them.</summary>
public class SimulatorTests
{
    // A weight comes in, is used, and what came of it goes home; the next step's fetch waits for this step's use.
    private const string Streamed = """
        schedule 1
        arena host 200
        arena device 100
        stream compute
        stream h2d
        stream d2h
        slot W.host host 0+40
        slot A.host host 40+40
        slot W.dev device 0+40
        slot A.dev device 40+40
        object W 40
        object A 40
        state W@W.host
        op 0 Fetch on h2d from=W@W.host:r to=W@W.dev:w after -1
        op 1 Forward on compute w=W@W.dev:r a=A@A.dev:w after 0 -2
        op 2 Save on d2h from=A@A.dev:r to=A@A.host:w after 1
        end 3
        """;

    private static readonly OpCost[] Costs = [new(10, 0, 100), OpCost.Compute(50), new(10, 1, 60)];

    [Fact]
    public void A_first_step_is_a_chain()
    {
        var schedule = ScheduleText.Parse(Streamed);
        var timeline = Simulator.Alone(schedule, Costs, new LinkRates([new(1, 0.5), new(1, 0.5)]));

        // 10 + 100 bytes at 1 B/ns; 50; 10 + 60 bytes: nothing overlaps.
        Assert.Equal([(0, 110), (110, 160), (160, 230)], Times(timeline));
        Assert.Equal(230, timeline.StepNanoseconds);
        Assert.Equal(new Wait(0, 0), timeline.Ops[1].Awaited);
        Assert.Equal([0, 110, 160], timeline.Ops.Select(o => o.Stall));
    }

    [Fact]
    public void Copies_in_both_directions_slow_each_other_down()
    {
        var schedule = ScheduleText.Parse(Streamed);
        var timeline = Simulator.Steady(schedule, Costs, new LinkRates([new(1, 0.5), new(1, 0.5)]));

        // From the end of a use, at 0: both copies start, move from 10 on at half rate; the save's 60 bytes take until 130; the fetch has
        // 40 left and is through at 170; the use lasts until 220. A step ends with its save, at 350 = 220 + 130, the one before at 130.
        Assert.Equal(220, timeline.StepNanoseconds);
        Assert.Equal([(0, 170), (170, 220), (220, 350)], Times(timeline).Select(t => (t.Start + 130, t.End + 130)));
        Assert.Equal(new Wait(1, 1), timeline.Ops[0].Awaited);
        Assert.Equal(new Wait(0, 0), timeline.Ops[1].Awaited);
        Assert.Equal((170, 50, 130), (timeline.Busy(schedule, 1), timeline.Busy(schedule, 0), timeline.Busy(schedule, 2)));
    }

    // A fetch of weights, a fetch of K and V on a stream of its own, a save, and what computes between.
    private const string Crossing = """
        schedule 1
        arena host 400
        arena device 400
        stream compute
        stream h2d
        stream d2h
        stream kv
        op 0 Fetch on h2d
        op 1 Fetch on kv
        op 2 Forward on compute after 1
        op 3 Save on d2h
        op 4 Forward on compute after 0 3
        op 5 Save on d2h after 4
        end 6
        """;

    [Fact]
    public void Copies_in_one_direction_share_it_and_host_memory_limits_all()
    {
        OpCost[] costs = [new(5, 0, 120), new(10, 0, 60), OpCost.Compute(70), new(20, 1, 80), OpCost.Compute(30), new(0, 1, 50)];
        var schedule = Program(Crossing);

        // Op 0 moves from 5 on, 2 B/ns: 10 B until 10. Then op 1 too, 1 each: 10 B each until 20, 100 and 50 left. Then op 3 as well:
        // inbound falls to 0.5 each, outbound has 1. Op 3's 80 B take until 100, when 60 and 10 are left; alone inbound again, 1 each: op 1
        // ends at 110 with 50 of op 0 left, 2 B/ns: 135. Compute 110 to 180, 180 to 210; the last save 50 B at its rate alone, 2: 235.
        var timeline = Simulator.Alone(schedule, costs, new LinkRates([new(2, 1), new(2, 1)]));
        Assert.Equal([(0, 135), (0, 110), (110, 180), (0, 100), (180, 210), (210, 235)], Times(timeline));

        // Host memory of 1.5 B/ns: op 0 5 to 10 at 1.5: 7.5 B; then 0.75 each until 20: 7.5 B each, 105 and 52.5 left. Three copies ask for
        // 0.5 + 0.5 + 1 and get 0.375, 0.375, 0.75: op 3 needs 106.67 ns, until 127 (whole nanoseconds), then 64.875 and 12.375 are left at
        // 0.75 each: op 1 ends 16.5 ns later, at 144; 52.125 of op 0 at 1.5: 34.75, until 179. Compute until 214 and 244, the last save
        // 33.3 ns.
        var limited = Simulator.Alone(schedule, costs, new LinkRates([new(2, 1), new(2, 1)], HostMemory: 1.5));
        Assert.Equal([(0, 179), (0, 144), (144, 214), (0, 127), (214, 244), (244, 278)], Times(limited));
    }

    [Fact]
    public void Links_slow_each_other_down_only_by_what_host_memory_gives()
    {
        OpCost[] costs = [new(0, 0, 100), new(0, 2, 100), OpCost.Compute(10), new(0, 3, 50), OpCost.Compute(10), new(0, 3, 50)];
        var schedule = Program(Crossing);

        // The nearest link has its rate alone, 2 B/ns, whatever the next one does, whose two directions share: op 1's 100 B and op 3's 50
        // have 1 B/ns each until 50, then op 1 has 2 for its other 50 B. Compute 75 to 85 and 85 to 95; the last save 25 ns.
        LinkRate rate = new(2, 1);
        var timeline = Simulator.Alone(schedule, costs, new LinkRates([rate, rate, rate, rate]));
        Assert.Equal([(0, 50), (0, 75), (75, 85), (0, 50), (85, 95), (95, 120)], Times(timeline));

        // 2 B/ns of host memory for the 2 + 1 + 1 that all ask for: half of each until 100, when op 1 has 50 B left.
        var limited = Simulator.Alone(schedule, costs, new LinkRates([rate, rate, rate, rate], HostMemory: 2));
        Assert.Equal([(0, 100), (0, 125), (125, 135), (0, 100), (135, 145), (145, 170)], Times(limited));
    }

    [Fact]
    public void Without_contention_times_are_those_of_the_recurrence()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var schedule = Program(random);
            OpCost[] costs =
            [
                .. schedule.Ops.Select(o =>
                    o.Stream == 0 ? OpCost.Compute(random.Next(100)) : new OpCost(random.Next(10), o.Stream - 1, random.Next(1000))
                ),
            ];
            var timeline = Simulator.Steady(schedule, costs, new LinkRates([new(2, 2), new(4, 4)]));
            var (step, times) = Recurrence(schedule, costs, [2, 4], 3);
            Assert.Equal(step, timeline.StepNanoseconds);
            Assert.Equal(times, Times(timeline));
        }
    }

    [Fact]
    public void The_same_request_gives_the_same_timeline()
    {
        var schedule = Program(new Random(1));
        OpCost[] costs = [.. schedule.Ops.Select(o => o.Stream == 0 ? OpCost.Compute(33) : new OpCost(7, o.Stream - 1, 1001))];
        var links = new LinkRates([new(3.1, 1.7), new(2.9, 1.3)]);
        Assert.Equal(Simulator.Steady(schedule, costs, links).Ops, Simulator.Steady(schedule, costs, links).Ops);
    }

    private static (long Start, long End)[] Times(Timeline timeline) => [.. timeline.Ops.Select(o => (o.Start, o.End))];

    /// <summary>An op starts when its stream is free and its waits have ended; it lasts as long as it takes alone.</summary>
    private static (long, (long, long)[]) Recurrence(Schedule schedule, OpCost[] costs, double[] rates, int steps)
    {
        int count = schedule.Ops.Length;
        var starts = new long[count * steps];
        var ends = new long[count * steps];
        var free = new long[schedule.Streams.Length];
        for (int k = 0; k < count * steps; k++)
        {
            var op = schedule.Ops[k % count];
            var cost = costs[k % count];
            starts[k] = op
                .Waits.Select(w => (k / count * count) + w.Op - (w.Distance * count))
                .Where(i => i >= 0)
                .Select(i => ends[i])
                .Append(free[op.Stream])
                .Max();
            ends[k] = free[op.Stream] =
                starts[k] + cost.Nanoseconds + (cost.Link < 0 ? 0 : (long)Math.Ceiling(cost.Bytes / rates[cost.Link]));
        }

        long before = ends[..^count].Max();
        return (ends.Max() - before, [.. Enumerable.Range(ends.Length - count, count).Select(i => (starts[i] - before, ends[i] - before))]);
    }

    private static Schedule Program(string text) => ScheduleText.Parse(text);

    /// <summary>Ops on three streams with random waits; the bytes do not matter here.</summary>
    private static Schedule Program(Random random)
    {
        int count = random.Next(2, 40);
        var streams = Enumerable.Range(0, count).Select(_ => random.Next(3)).ToArray();
        return new Schedule
        {
            Facts = [],
            Arenas = [],
            Streams = ["compute", "h2d", "d2h"],
            Slots = [],
            Objects = [],
            Inputs = [],
            State = [],
            Outputs = [],
            Ops =
            [
                .. streams.Select(
                    (stream, i) =>
                        new ScheduledOp
                        {
                            Kind = stream == 0 ? OpKind.Forward : OpKind.Fetch,
                            Stream = stream,
                            Accesses = [],
                            Waits =
                            [
                                .. Enumerable
                                    .Range(0, random.Next(3))
                                    .Select(_ => random.Next(2))
                                    .Select(d => new Wait(random.Next(d == 1 ? count : Math.Max(1, i)), d))
                                    .Where(w => w.Distance == 1 || w.Op < i)
                                    .Where(w => streams[w.Op] != stream),
                            ],
                        }
                ),
            ],
        };
    }
}
