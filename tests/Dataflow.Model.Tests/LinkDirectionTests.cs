namespace Dataflow.Model.Tests;

/// <summary>Directions of links by their places, of as many tiers as one likes.</summary>
public class LinkDirectionTests
{
    [Fact]
    public void Links_come_from_the_nearest_on_inbound_first()
    {
        Assert.Equal(["host_to_device", "device_to_host"], LinkDirection.Among(2).Select(d => d.Name));
        Assert.Equal([LinkDirection.HostToDevice, LinkDirection.DeviceToHost], LinkDirection.Among(2));
        var beyond = new MemoryTier(2);
        Assert.Equal([.. LinkDirection.Among(2), LinkDirection.From(beyond), LinkDirection.To(beyond)], LinkDirection.Among(3));
    }

    [Fact]
    public void A_direction_knows_its_ends_and_its_opposite()
    {
        foreach (var (direction, index) in LinkDirection.Among(4).Select((d, i) => (d, i)))
        {
            Assert.Equal(index, direction.Index);
            Assert.Equal(direction.Near.Index + 1, direction.Far.Index);
            Assert.Equal(direction.IsInbound ? direction.Far : direction.Near, direction.Source);
            Assert.Equal((direction.Target, direction.Source), (direction.Opposite.Source, direction.Opposite.Target));
            Assert.NotEqual(direction, direction.Opposite);
            Assert.Equal(direction, direction.IsInbound ? LinkDirection.From(direction.Far) : LinkDirection.To(direction.Far));
        }
    }
}
