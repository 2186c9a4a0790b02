using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation.Tests;

/// <summary>The rate of a link below which a step waits for it, against steps whose length is known by hand.</summary>
public class LinkNeedTests
{
    private static readonly LinkRates Rates = new([new(1, 0.5), new(2, 2)]);

    [Fact]
    public void It_is_where_the_step_begins_to_grow()
    {
        // 1000 ns of compute beside 100 bytes to the device, none to the host: over 1010 ns below 100 / 1010 bytes a nanosecond.
        var need = Assert.Single(
            LinkNeed.Of([OpCost.Compute(1000), new(0, 0, 100)], Rates, rates => Math.Max(1000, 100 / rates.Links[0].Alone))
        );
        Assert.Equal((LinkDirection.HostToDevice, 1.0), (need.Direction, need.Has));
        Assert.InRange(need.StallsBelow, 100 / 1010.0, 1.01 * 100 / 1010);
        Assert.False(need.IsShort);
    }

    [Fact]
    public void Both_rates_of_a_direction_go_together_and_the_other_direction_stays()
    {
        // A fetch, compute and a save one after the other: 10 + 100 / r, 50, 10 + 60 / s; the links are never fast enough.
        var schedule = ScheduleText.Parse("""
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
            """);
        OpCost[] costs = [new(1000, 0, 100_000), OpCost.Compute(5000), new(1000, 1, 60_000)];
        var needs = LinkNeed.Of(costs, Rates, rates => Simulator.Alone(schedule, costs, rates).StepNanoseconds);
        Assert.Equal([LinkDirection.HostToDevice, LinkDirection.DeviceToHost], needs.Select(n => n.Direction));
        Assert.All(needs, n => Assert.True(n.IsShort));

        // 37,000 ns and a link that is never awaited: 1% of that, 370 ns, is 100,000 bytes at 270 GB/s; of 107,000, 60,000 bytes at 56
        // GB/s.
        Assert.InRange(needs[0].StallsBelow, 1e5 / (1.01 * 370.5 + 100), 1.02 * 1e5 / 370);
        Assert.InRange(needs[1].StallsBelow, 6e4 / (1.01 * 1070.3 + 60), 1.02 * 6e4 / 1070);
    }
}
