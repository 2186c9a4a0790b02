using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;

namespace Dataflow.Cpu.Kernels;

/// <summary>Rows of a table by token id, and the segmented sum that is its backward.</summary>
public static unsafe class Embedding
{
    /// <summary>Positions of the sorted order whose segments a job sums.</summary>
    private const int BlockPositions = 16;

    /// <summary>
    /// ids: T, each a row of table (V x D); x: T x D, overwritten with those rows times <paramref name="scale"/>, or added to by one fused
    /// multiply-add.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not a row of the table.</exception>
    public static void Forward(ThreadTeam team, int* ids, Matrix table, Matrix x, float scale = 1, bool adds = false)
    {
        x.Expect(x.Rows, table.Columns, nameof(x));
        CheckIds(ids, x.Rows, table.Rows);
        if (adds)
        {
            team.For(x.Rows, new AddJob(ids, table, 0, x, scale));
        }
        else
        {
            team.For(x.Rows, new GatherJob(ids, table, 0, x, scale, zeroOthers: false));
        }
    }

    /// <summary>
    /// The same where table holds the rows of the ids from <paramref name="firstId"/> on only. Rows of x with other ids are set to zero
    /// under <paramref name="zeroOthers"/>, else left alone: over all blocks of a table, the first with zeros, x becomes what the whole
    /// gives. Rows that are added leave those of other ids alone.
    /// </summary>
    public static void ForwardBlock(
        ThreadTeam team,
        int* ids,
        Matrix table,
        int firstId,
        Matrix x,
        bool zeroOthers,
        float scale = 1,
        bool adds = false
    )
    {
        x.Expect(x.Rows, table.Columns, nameof(x));
        if (adds)
        {
            team.For(x.Rows, new AddJob(ids, table, firstId, x, scale));
        }
        else
        {
            team.For(x.Rows, new GatherJob(ids, table, firstId, x, scale, zeroOthers));
        }
    }

    /// <summary>
    /// ids: one per row of dx; order: <paramref name="tokens"/> numbers, the rows that count, sorted by (id, row), then -1; dx: T x D;
    /// dTable: V x D. For each distinct id, the fp32 sum of its rows of dx in that order, times <paramref name="scale"/>, is added to its
    /// row of dTable by one fused multiply-add, rounded once.
    /// Rows of other ids are not touched.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not a row of the table.</exception>
    public static void Backward(ThreadTeam team, int* ids, int* order, int tokens, Matrix dx, Matrix dTable, float scale = 1)
    {
        dx.Expect(dx.Rows, dTable.Columns, nameof(dx));
        tokens = Counted(order, tokens);
        for (int i = 0; i < tokens; i++)
        {
            CheckIds(ids + order[i], 1, dTable.Rows);
        }

        team.For((tokens + BlockPositions - 1) / BlockPositions, new ScatterJob(ids, order, tokens, 0, dx, dTable, scale));
    }

    /// <summary>
    /// The same where dTable holds the rows of the ids from <paramref name="firstId"/> on only: a run of the order, the same bits.
    /// </summary>
    public static void BackwardBlock(
        ThreadTeam team,
        int* ids,
        int* order,
        int tokens,
        int firstId,
        Matrix dx,
        Matrix dTable,
        float scale = 1
    )
    {
        dx.Expect(dx.Rows, dTable.Columns, nameof(dx));
        tokens = Counted(order, tokens);
        int begin = FirstAtLeast(ids, order, tokens, firstId);
        int count = FirstAtLeast(ids, order, tokens, (long)firstId + dTable.Rows) - begin;
        team.For((count + BlockPositions - 1) / BlockPositions, new ScatterJob(ids, order + begin, count, firstId, dx, dTable, scale));
    }

    private static int Counted(int* order, int tokens)
    {
        while (tokens > 0 && order[tokens - 1] < 0)
        {
            tokens--;
        }

        return tokens;
    }

    /// <summary>The first place in the sorted order whose id is not below that one.</summary>
    private static int FirstAtLeast(int* ids, int* order, int tokens, long id)
    {
        int low = 0, high = tokens;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            (low, high) = ids[order[middle]] >= id ? (low, middle) : (middle + 1, high);
        }

        return low;
    }

    private static void CheckIds(int* ids, int count, int rows)
    {
        for (int i = 0; i < count; i++)
        {
            if ((uint)ids[i] >= (uint)rows)
            {
                throw new ArgumentOutOfRangeException(nameof(ids), ids[i], $"token ids go from 0 to {rows - 1}");
            }
        }
    }

    private readonly struct AddJob(int* ids, Matrix table, int firstId, Matrix x, float scale) : IJob
    {
        public void Run(int index, int worker)
        {
            int row = ids[index] - firstId;
            if ((uint)row >= (uint)table.Rows)
            {
                return;
            }

            Row from = new(table, row), to = new(x, index);
            for (int j = 0; j < x.Columns; j += Lanes.Count)
            {
                int lanes = x.Columns - j;
                to.Store(j, Vector512.FusedMultiplyAdd(from.Load(j, lanes), Vector512.Create(scale), to.Load(j, lanes)), lanes);
            }
        }
    }

    private readonly struct GatherJob(int* ids, Matrix table, int firstId, Matrix x, float scale, bool zeroOthers) : IJob
    {
        public void Run(int index, int worker)
        {
            int row = ids[index] - firstId;
            Row to = new(x, index);
            if ((uint)row >= (uint)table.Rows)
            {
                for (int j = 0; zeroOthers && j < x.Columns; j += Lanes.Count)
                {
                    to.Store(j, default, x.Columns - j);
                }

                return;
            }

            Row from = new(table, row);
            for (int j = 0; j < x.Columns; j += Lanes.Count)
            {
                to.Store(j, from.Load(j, x.Columns - j) * Vector512.Create(scale), x.Columns - j);
            }
        }
    }

    /// <summary>A job sums the segments that start in its positions, wherever they end.</summary>
    private readonly struct ScatterJob(
        int* ids,
        int* order,
        int tokens,
        int firstId,
        Matrix dx,
        Matrix dTable,
        float scale
    ) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(tokens, (index + 1) * BlockPositions);
            for (int i = index * BlockPositions; i < end; i++)
            {
                int id = ids[order[i]];
                if (i > 0 && ids[order[i - 1]] == id)
                {
                    continue;
                }

                int next = i + 1;
                while (next < tokens && ids[order[next]] == id)
                {
                    next++;
                }

                AddSegment(id, i, next);
            }
        }

        private void AddSegment(int id, int first, int end)
        {
            Row to = new(dTable, id - firstId);
            for (int j = 0; j < dx.Columns; j += Lanes.Count)
            {
                int lanes = dx.Columns - j;
                Vector512<float> sum = default;
                for (int i = first; i < end; i++)
                {
                    sum += new Row(dx, order[i], j).Load(0, lanes);
                }

                to.Store(j, Vector512.FusedMultiplyAdd(sum, Vector512.Create(scale), to.Load(j, lanes)), lanes);
            }
        }
    }
}
