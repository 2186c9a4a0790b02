namespace Dataflow.Schedules.Internals;

/// <summary>
/// Which completions precede which starts, from FIFO streams and waits alone, over two unrolled steps. Node step * ops + i is op i of a
/// step; the first step has no step before it, so its waits of distance 1 are void, as in a run. Paths never lead back a step, so what
/// holds here of two nodes holds of the same ops in any two neighbouring steps.
/// </summary>
internal sealed class HappensBefore
{
    private readonly int[][] clocks; // [node][stream]: number of ops of the stream complete when the node is
    private readonly int[] rank; // [node]: 1 + number of ops of its stream before it

    public HappensBefore(Schedule schedule)
    {
        ReadOnlySpan<ScheduledOp> ops = schedule.Ops.AsSpan();
        int streams = schedule.Streams.AsSpan().Length;
        clocks = new int[2 * ops.Length][];
        rank = new int[2 * ops.Length];
        var now = new int[streams][];
        Array.Fill(now, new int[streams]);
        for (int node = 0; node < clocks.Length; node++)
        {
            ScheduledOp op = ops[node % ops.Length];
            int stream = op.Stream;
            int[] clock = (int[])now[stream].Clone();
            foreach (Wait wait in op.Waits.AsSpan())
            {
                int waited = node - (node % ops.Length) + wait.Op - (wait.Distance * ops.Length);
                if (waited >= 0)
                {
                    for (int s = 0; s < streams; s++)
                    {
                        clock[s] = Math.Max(clock[s], clocks[waited][s]);
                    }
                }
            }

            rank[node] = ++clock[stream];
            now[stream] = clocks[node] = clock;
        }
    }

    /// <summary>The earlier node, on a given stream, is complete before the later one, issued after it, starts.</summary>
    public bool Orders(int earlier, int streamOfEarlier, int later) => clocks[later][streamOfEarlier] >= rank[earlier];
}
