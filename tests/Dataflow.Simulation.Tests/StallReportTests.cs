using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation.Tests;

/// <summary>Stalls and links of a timeline derived by hand.</summary>
public class StallReportTests
{
    // Two weights come in one after the other; each is used; what came of the first use has to leave before the second may overwrite it.
    private const string Text = """
        schedule 1
        arena host 400
        arena device 400
        stream compute
        stream h2d
        stream d2h
        slot W.host host 0+100
        slot V.host host 100+100
        slot A.host host 200+100
        slot W.dev device 0+100
        slot V.dev device 100+100
        slot A.dev device 200+100
        object W 100
        object V 100
        object A 100
        op 0 Fetch on h2d from=W@W.host:r to=W@W.dev:w
        op 1 Fetch on h2d from=V@V.host:r to=V@V.dev:w
        op 2 Forward on compute w=W@W.dev:r a=A@A.dev:w after 0
        op 3 Save on d2h from=A@A.dev:r to=A@A.host:w after 2
        op 4 Forward on compute w=V@V.dev:r a=A@A.dev:w after 1 3
        end 5
        """;

    [Fact]
    public void A_stall_belongs_to_what_was_awaited_last()
    {
        // The first fetch 0 to 100, its use to 130. The second fetch has 70 B left when the save starts; both directions busy, 0.5 B/ns
        // each, that takes until 270. The save has 30 B left, alone, until 300; the second use to 350.
        var schedule = ScheduleText.Parse(Text);
        OpCost[] costs = [new(0, 0, 100), new(0, 0, 100), OpCost.Compute(30), new(0, 1, 100), OpCost.Compute(50)];
        var timeline = Simulator.Alone(schedule, costs, new LinkRates([new(1, 0.5), new(1, 0.5)]));
        Assert.Equal([(0, 100), (100, 270), (100, 130), (130, 300), (300, 350)], timeline.Ops.Select(o => (o.Start, o.End)));
        Assert.Equal(
            [new Stall(OpKind.Save, 2, 170, 1), new Stall(OpKind.Fetch, 0, 100, 1)],
            StallReport.Of(schedule, timeline, stream: 0, item => item));

        // Inbound 200 B while busy from 0 to 270, outbound 100 B in 170 ns.
        Assert.Equal(
            [new LinkUse(LinkDirection.HostToDevice, 200, 2, 270), new LinkUse(LinkDirection.DeviceToHost, 100, 1, 170)],
            LinkUse.Of(timeline, costs));
    }
}
