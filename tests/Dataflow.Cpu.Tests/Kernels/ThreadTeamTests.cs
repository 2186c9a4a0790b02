using Dataflow.Cpu.Kernels;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed unsafe class ThreadTeamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_index_runs_once_in_every_loop(int threads)
    {
        using var team = new ThreadTeam(threads);
        int[] runs = new int[1000];
        for (int loop = 0; loop < 2000; loop++)
        {
            team.For(loop % 40, new Count(runs));
        }

        for (int i = 0; i < 40; i++)
        {
            Assert.Equal(50 * (39 - i), runs[i]);
        }

        Assert.All(runs[40..], n => Assert.Equal(0, n));
    }

    [Fact]
    public void A_team_that_slept_wakes_up()
    {
        using var team = new ThreadTeam(3);
        int[] runs = new int[64];
        for (int loop = 0; loop < 3; loop++)
        {
            Thread.Sleep(20);
            team.For(64, new Count(runs));
        }

        Assert.All(runs, n => Assert.Equal(3, n));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_job_that_throws_reaches_the_caller_and_the_team_goes_on(int threads)
    {
        using var team = new ThreadTeam(threads);
        Assert.Throws<InvalidOperationException>(() => team.For(10, new Fail()));
        int[] runs = new int[10];
        team.For(10, new Count(runs));
        Assert.All(runs, n => Assert.Equal(1, n));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_loop_within_a_loop_is_refused(int threads)
    {
        using var team = new ThreadTeam(threads);
        Assert.Throws<InvalidOperationException>(() => team.For(4, new Nest(team)));
    }

    [Fact]
    public void A_loop_allocates_nothing()
    {
        using var team = new ThreadTeam(2);
        int[] runs = new int[8];
        team.For(8, new Count(runs));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int loop = 0; loop < 100; loop++)
        {
            team.For(8, new Count(runs));
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Fill_zeroes_and_copies_every_byte_and_no_other()
    {
        using var team = new ThreadTeam(3);
        const int Size = (3 << 20) + 12345;
        byte[] from = new byte[Size + 2];
        byte[] to = new byte[Size + 2];
        new Random(1).NextBytes(from);
        Array.Fill(to, (byte)7);
        fixed (byte* source = from, target = to)
        {
            Fill.Copy(team, source + 1, target + 1, Size);
            Assert.Equal((7, 7), (to[0], to[^1]));
            Assert.True(from.AsSpan(1, Size).SequenceEqual(to.AsSpan(1, Size)));
            Fill.Zero(team, target + 1, Size);
            Assert.Equal((7, 7), (to[0], to[^1]));
            Assert.True(to.AsSpan(1, Size).IndexOfAnyExcept((byte)0) < 0);
        }
    }

    private readonly struct Count(int[] runs) : IJob
    {
        public void Run(int index, int worker) => Interlocked.Increment(ref runs[index]);
    }

    private readonly struct Nest(ThreadTeam team) : IJob
    {
        public void Run(int index, int worker) => team.For(1, new Fail());
    }

    private readonly struct Fail : IJob
    {
        public void Run(int index, int worker)
        {
            if (index == 5)
            {
                throw new InvalidOperationException("five");
            }
        }
    }
}
