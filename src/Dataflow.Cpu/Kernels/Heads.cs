using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Parts of heads, put together and taken apart again (latent attention). A head's key has in either half first a half of what is turned,
/// which is one for all heads, then a half of what is not. Numbers are moved as they are, but for sums over heads: fp32, rounded once.
/// </summary>
public static class Heads
{
    /// <summary>Keys and values are overwritten, zeros behind the latter.</summary>
    public static void Join(ThreadTeam team, in JoinHeadsArguments call)
    {
        Matrix up = new(call.Up), rotated = new(call.Rotated), to = new(call.KeyValue);
        var widths = Widths.Of(call.Heads, to.Columns, rotated.Columns, up.Columns);
        up.Expect(to.Rows, widths.Heads * widths.Up, nameof(call.Up));
        rotated.Expect(to.Rows, widths.Turned, nameof(call.Rotated));
        team.For(to.Rows, new JoinJob(widths, up, rotated, to));
    }

    /// <summary>Both gradients are overwritten.</summary>
    public static void Split(ThreadTeam team, in SplitHeadsArguments call)
    {
        Matrix from = new(call.GradKeyValue), up = new(call.GradUp), rotated = new(call.GradRotated);
        var widths = Widths.Of(call.Heads, from.Columns, rotated.Columns, up.Columns);
        up.Expect(from.Rows, widths.Heads * widths.Up, nameof(call.GradUp));
        rotated.Expect(from.Rows, widths.Turned, nameof(call.GradRotated));
        team.For(from.Rows, new SplitJob(widths, from, up, rotated));
    }

    /// <summary>All of the result is overwritten.</summary>
    public static void Resize(ThreadTeam team, in ResizeHeadsArguments call)
    {
        Matrix from = new(call.From), to = new(call.To);
        int width = from.Columns / call.Heads, wanted = to.Columns / call.Heads;
        from.Expect(to.Rows, call.Heads * width, nameof(call.From));
        to.Expect(to.Rows, call.Heads * wanted, nameof(call.To));
        team.For(to.Rows, new ResizeJob(call.Heads, from, width, to, wanted));
    }

    /// <summary>So many elements, as they are.</summary>
    private static void Copy(Row from, Row to, int count)
    {
        for (int j = 0; j < count; j += Lanes.Count)
        {
            to.Store(j, from.Load(j, count - j), count - j);
        }
    }

    private static void Clear(Row row, int count)
    {
        for (int j = 0; j < count; j += Lanes.Count)
        {
            row.Store(j, default, count - j);
        }
    }

    /// <summary>Of a head: what is turned and what is not of its key, its value, and all of it as attention has it.</summary>
    private readonly record struct Widths(int Heads, int Turned, int Plain, int Value, int Head)
    {
        public int Up => Plain + Value;

        public static Widths Of(int heads, int keyValues, int turned, int ups)
        {
            int head = keyValues / (2 * heads), plain = head - turned;
            return new(heads, turned, plain, (ups / heads) - plain, head);
        }

        /// <summary>Where a half of a part begins in the head.</summary>
        public int TurnedAt(int half) => half * (Head / 2);

        public int PlainAt(int half) => TurnedAt(half) + (Turned / 2);
    }

    private readonly struct JoinJob(Widths of, Matrix up, Matrix rotated, Matrix to) : IJob
    {
        public void Run(int index, int worker)
        {
            for (int h = 0; h < of.Heads; h++)
            {
                int key = h * of.Head, value = (of.Heads + h) * of.Head, from = h * of.Up;
                for (int half = 0; half < 2; half++)
                {
                    Copy(new(rotated, index, half * (of.Turned / 2)), new(to, index, key + of.TurnedAt(half)), of.Turned / 2);
                    Copy(new(up, index, from + (half * (of.Plain / 2))), new(to, index, key + of.PlainAt(half)), of.Plain / 2);
                }

                Copy(new(up, index, from + of.Plain), new(to, index, value), of.Value);
                Clear(new(to, index, value + of.Value), of.Head - of.Value);
            }
        }
    }

    private readonly struct SplitJob(Widths of, Matrix from, Matrix up, Matrix rotated) : IJob
    {
        public void Run(int index, int worker)
        {
            for (int h = 0; h < of.Heads; h++)
            {
                int key = h * of.Head, value = (of.Heads + h) * of.Head, to = h * of.Up;
                for (int half = 0; half < 2; half++)
                {
                    Copy(new(from, index, key + of.PlainAt(half)), new(up, index, to + (half * (of.Plain / 2))), of.Plain / 2);
                }

                Copy(new(from, index, value), new(up, index, to + of.Plain), of.Value);
            }

            for (int half = 0; half < 2; half++)
            {
                Row sums = new(rotated, index, half * (of.Turned / 2));
                for (int j = 0; j < of.Turned / 2; j += Lanes.Count)
                {
                    int lanes = (of.Turned / 2) - j;
                    Vector512<float> sum = default;
                    for (int h = 0; h < of.Heads; h++)
                    {
                        sum += new Row(from, index, (h * of.Head) + of.TurnedAt(half)).Load(j, lanes);
                    }

                    sums.Store(j, sum, lanes);
                }
            }
        }
    }

    private readonly struct ResizeJob(int heads, Matrix from, int width, Matrix to, int wanted) : IJob
    {
        public void Run(int index, int worker)
        {
            int kept = Math.Min(width, wanted);
            for (int h = 0; h < heads; h++)
            {
                Copy(new(from, index, h * width), new(to, index, h * wanted), kept);
                Clear(new(to, index, (h * wanted) + kept), wanted - kept);
            }
        }
    }
}
