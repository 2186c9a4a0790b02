using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;

namespace Dataflow.Cpu.Kernels;

/// <summary>Rows of a table by token id, and the segmented sum that is its backward.</summary>
public static unsafe class Embedding
{
    /// <summary>Positions of the sorted order whose segments a job sums.</summary>
    private const int BlockPositions = 16;

    /// <summary>ids: T, each a row of table (V x D); x: T x D, overwritten with those rows.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not a row of the table.</exception>
    public static void Forward(ThreadTeam team, int* ids, Matrix table, Matrix x)
    {
        x.Expect(x.Rows, table.Columns, nameof(x));
        CheckIds(ids, x.Rows, table.Rows);
        team.For(x.Rows, new GatherJob(ids, table, x));
    }

    /// <summary>
    /// ids: one per row of dx; order: the <paramref name="tokens"/> rows that count, sorted by (id, row); dx: T x D; dTable:
    /// V x D. For each distinct id, the fp32 sum of its rows of dx in that order is added to its row of dTable, rounded once.
    /// Rows of other ids are not touched.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not a row of the table.</exception>
    public static void Backward(ThreadTeam team, int* ids, int* order, int tokens, Matrix dx, Matrix dTable)
    {
        dx.Expect(dx.Rows, dTable.Columns, nameof(dx));
        for (int i = 0; i < tokens; i++)
        {
            CheckIds(ids + order[i], 1, dTable.Rows);
        }

        team.For((tokens + BlockPositions - 1) / BlockPositions, new ScatterJob(ids, order, tokens, dx, dTable));
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

    private readonly struct GatherJob(int* ids, Matrix table, Matrix x) : IJob
    {
        public void Run(int index, int worker)
        {
            Row from = new(table, ids[index]);
            Row to = new(x, index);
            for (int j = 0; j < x.Columns; j += Lanes.Count)
            {
                to.Store(j, from.Load(j, x.Columns - j), x.Columns - j);
            }
        }
    }

    /// <summary>A job sums the segments that start in its positions, wherever they end.</summary>
    private readonly struct ScatterJob(int* ids, int* order, int tokens, Matrix dx, Matrix dTable) : IJob
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
            Row to = new(dTable, id);
            for (int j = 0; j < dx.Columns; j += Lanes.Count)
            {
                int lanes = dx.Columns - j;
                Vector512<float> sum = default;
                for (int i = first; i < end; i++)
                {
                    sum += new Row(dx, order[i], j).Load(0, lanes);
                }

                to.Store(j, to.Load(j, lanes) + sum, lanes);
            }
        }
    }
}
