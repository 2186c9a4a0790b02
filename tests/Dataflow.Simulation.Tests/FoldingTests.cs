using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation.Tests;

/// <summary>Skipping rounds that repeat gives the times that simulating every op gives.</summary>
public class FoldingTests
{
    [Fact]
    public void Random_rounds_take_the_same_times_to_the_nanosecond()
    {
        int folded = 0;
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var (schedule, costs) = Rounds(random, rounds: random.Next(5, 30));
            var links = new LinkRates([new(2.7, 1.9), new(3.1, 1.3)], random.Next(2) == 0 ? double.PositiveInfinity : 2.5);
            folded += StepPeriod.Of(schedule, costs) is null ? 0 : 1;
            foreach (bool steady in (bool[])[false, true])
            {
                var expected = Simulator.Unfolded(schedule, costs, links, steady);
                var found = steady ? Simulator.Steady(schedule, costs, links) : Simulator.Alone(schedule, costs, links);
                Assert.Equal(expected.StepNanoseconds, found.StepNanoseconds);
                Assert.Equal(expected.Ops, found.Ops);
            }
        }

        Assert.True(folded > 250, $"only {folded} of 300 programs had a period");
    }

    /// <summary>A beginning, rounds of the same ops whose waits reach into the round before at most, and an end.</summary>
    private static (Schedule, OpCost[]) Rounds(Random random, int rounds)
    {
        int length = random.Next(3, 12), before = random.Next(0, 4), after = random.Next(0, 4), streams = random.Next(2, 5);
        var streamOf = Enumerable.Range(0, length).Select(i => i == 0 ? 0 : random.Next(streams)).ToArray();
        var waitsOf = Enumerable
            .Range(0, length)
            .Select(i => Enumerable.Range(0, random.Next(3)).Select(_ => random.Next(1, length + 1)).Distinct().ToArray())
            .ToArray();
        OpCost CostOf(int stream) =>
            stream == 0 ? OpCost.Compute(random.Next(200)) : new OpCost(random.Next(10), stream % 2, random.Next(400));
        var costOf = streamOf.Select(CostOf).ToArray();
        int count = before + (rounds * length) + after;
        var ops = new ScheduledOp[count];
        var costs = new OpCost[count];
        for (int i = 0; i < count; i++)
        {
            int place = i - before, round = place / length;
            bool inRound = place >= 0 && round < rounds;
            int k = inRound ? place % length : 0;
            int stream = inRound ? streamOf[k] : random.Next(streams);
            costs[i] = inRound ? costOf[k] : CostOf(stream);
            var waits = (inRound ? waitsOf[k] : [1])
                .Select(back => i - back)
                .Where(w => w >= 0 && ops[w].Stream != stream)
                .Select(w => new Wait(w, 0))
                .ToList();
            if (i == 0 && random.Next(2) == 0)
            {
                waits.Add(new Wait(count - 1, 1));
            }

            ops[i] = new ScheduledOp
            {
                Kind = stream == 0 ? OpKind.Forward : OpKind.Fetch,
                Stream = stream,
                Round = inRound ? new Round(round) : null,
                Accesses = [],
                Waits = [.. waits],
            };
        }

        if (ops[count - 1].Stream == ops[0].Stream)
        {
            ops[0] = ops[0] with { Waits = [] };
        }

        return (
            new Schedule
            {
                Facts = [],
                Arenas = [],
                Streams = [.. Enumerable.Range(0, streams).Select(s => $"s{s}")],
                Slots = [],
                Objects = [],
                Inputs = [],
                State = [],
                Outputs = [],
                Ops = [.. ops],
            },
            costs
        );
    }
}
