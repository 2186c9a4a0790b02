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
        var timeline = Simulator.Alone(schedule, Costs, [new(1, 0.5), new(1, 0.5)]);

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
        var timeline = Simulator.Steady(schedule, Costs, [new(1, 0.5), new(1, 0.5)]);

        // From the end of a use, at 0: both copies start, move from 10 on at half rate; the save's 60 bytes take until 130; the fetch has
        // 40 left and is through at 170; the use lasts until 220. A step ends with its save, at 350 = 220 + 130, the one before at 130.
        Assert.Equal(220, timeline.StepNanoseconds);
        Assert.Equal([(0, 170), (170, 220), (220, 350)], Times(timeline).Select(t => (t.Start + 130, t.End + 130)));
        Assert.Equal(new Wait(1, 1), timeline.Ops[0].Awaited);
        Assert.Equal(new Wait(0, 0), timeline.Ops[1].Awaited);
        Assert.Equal((170, 50, 130), (timeline.Busy(schedule, 1), timeline.Busy(schedule, 0), timeline.Busy(schedule, 2)));
    }

    [Fact]
    public void Without_contention_times_are_those_of_the_recurrence()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var schedule = Program(random);
            OpCost[] costs = [.. schedule.Ops.Select(o => o.Stream == 0 ? OpCost.Compute(random.Next(100)) : new OpCost(random.Next(10), o.Stream - 1, random.Next(1000)))];
            var timeline = Simulator.Steady(schedule, costs, [new(2, 2), new(4, 4)]);
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
        ImmutableArray<LinkRate> links = [new(3.1, 1.7), new(2.9, 1.3)];
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
            starts[k] = op.Waits.Select(w => (k / count * count) + w.Op - (w.Distance * count)).Where(i => i >= 0).Select(i => ends[i])
                .Append(free[op.Stream]).Max();
            ends[k] = free[op.Stream] = starts[k] + cost.Nanoseconds + (cost.Link < 0 ? 0 : (long)Math.Ceiling(cost.Bytes / rates[cost.Link]));
        }

        long before = ends[..^count].Max();
        return (ends.Max() - before, [.. Enumerable.Range(ends.Length - count, count).Select(i => (starts[i] - before, ends[i] - before))]);
    }

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
            Ops = [.. streams.Select((stream, i) => new ScheduledOp
            {
                Kind = stream == 0 ? OpKind.Forward : OpKind.Fetch,
                Stream = stream,
                Accesses = [],
                Waits = [.. Enumerable.Range(0, random.Next(3)).Select(_ => random.Next(2)).Select(d => new Wait(random.Next(d == 1 ? count : Math.Max(1, i)), d))
                    .Where(w => w.Distance == 1 || w.Op < i).Where(w => streams[w.Op] != stream)],
            })],
        };
    }
}
