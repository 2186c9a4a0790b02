using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>Pinning waits for a machine whose memory grows as it is used, as long as it grows and no longer.</summary>
public sealed class GrowingMemoryTests
{
    private static readonly Bytes s_wanted = new(16L << 30);

    private static MachineMemory Machine(long totalGiB, long freeGiB) =>
        MachineMemory.Of(new Bytes(totalGiB << 30), new Bytes(freeGiB << 30), [], new MemoryGrowth("a sign", null));

    [Fact]
    public void What_is_free_already_is_not_waited_for()
    {
        int reads = 0;
        GrowingMemory.Await(s_wanted, TimeSpan.FromMinutes(5), () =>
        {
            reads++;
            return Machine(128, 16);
        });
        Assert.Equal(1, reads);
    }

    [Fact]
    public void A_machine_that_grows_is_waited_for_until_there_is_enough()
    {
        int reads = 0;
        GrowingMemory.Await(s_wanted, TimeSpan.FromMinutes(5), () => Machine(20 + (4 * reads), 4 * ++reads));
        Assert.Equal(4, reads);
    }

    [Fact]
    public void A_machine_that_stands_still_is_left_to_its_fate()
    {
        int reads = 0;
        GrowingMemory.Await(s_wanted, TimeSpan.FromMilliseconds(1), () =>
        {
            reads++;
            return Machine(20, 4);
        });
        Assert.True(reads > 0);
    }
}
