using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>The slots that copies pass between the device and homes in any tier.</summary>
public class StepPlacesTests
{
    // A slot on the device, a home on the host, a home beyond it and two slots a direction for the way there.
    private static readonly Slot[] Slots =
    [
        .. new[] { 0, 1, 2, 1, 1, 1, 1 }.Select((arena, i) => new Slot($"slot.{i}", arena, new Bytes(i * 256), new Bytes(256))),
    ];

    [Fact]
    public void A_copy_passes_every_tier_and_those_of_one_direction_take_turns()
    {
        var beyond = new MemoryTier(2);
        var places = new StepPlaces([], [.. Slots], [1, 2], new Dictionary<LinkDirection, int>
        {
            [LinkDirection.From(beyond)] = 3,
            [LinkDirection.To(beyond)] = 5,
        });
        int[] Path(bool fetch, int item) => places.PathOf(new Travel(fetch, item, 0, Bytes.Zero, new Bytes(256), 0, 0));
        Assert.Equal([0, 1], Path(fetch: true, 0));
        Assert.Equal([0, 3, 2], Path(fetch: true, 1));
        Assert.Equal([0, 5, 2], Path(fetch: false, 1));
        Assert.Equal([0, 4, 2], Path(fetch: true, 1));
        Assert.Equal([0, 1], Path(fetch: false, 0));
        Assert.Equal([0, 3, 2], Path(fetch: true, 1));
        Assert.Equal([0, 6, 2], Path(fetch: false, 1));
    }
}
