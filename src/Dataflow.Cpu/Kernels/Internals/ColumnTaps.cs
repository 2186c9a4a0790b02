using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>Taps of sixteen columns at a time, of convolutions of each column alone, and their gradients.</summary>
internal static unsafe class ColumnTaps
{
    /// <summary>Doubles in which gradients are summed: [lane][tap].</summary>
    public const int Sums = Lanes.Count * Lanes.Count;

    /// <summary>Vector k becomes the taps of each column for the token K - 1 - k before.</summary>
    public static void Load(in Matrix taps, int j, int lanes, Vector512<float>* into)
    {
        float* values = (float*)into;
        float* one = stackalloc float[Lanes.Count];
        for (int lane = 0; lane < Lanes.Count; lane++)
        {
            Vector512<float> own = lane < lanes ? new Row(taps, j + lane).Load(0, taps.Columns) : default;
            own.Store(one);
            for (int k = 0; k < taps.Columns; k++)
            {
                values[(k * Lanes.Count) + lane] = one[k];
            }
        }
    }

    /// <summary>Adds a run of tokens' sums, a vector for each tap.</summary>
    public static void Add(Vector512<float>* sums, int taps, double* all)
    {
        for (int tap = 0; tap < taps; tap++)
        {
            for (int lane = 0; lane < Lanes.Count; lane++)
            {
                all[(lane * Lanes.Count) + tap] += sums[tap][lane];
            }
        }
    }

    /// <summary>Rounds them into the taps' gradient, to which they may be added.</summary>
    public static void Store(double* all, in Matrix taps, int j, int lanes, bool accumulate)
    {
        for (int lane = 0; lane < Math.Min(lanes, Lanes.Count); lane++)
        {
            Row to = new(taps, j + lane);
            Vector512<double> low = Vector512.Load(all + (lane * Lanes.Count)), high = Vector512.Load(all + (lane * Lanes.Count) + 8);
            if (accumulate)
            {
                Vector512<float> old = to.Load(0, taps.Columns);
                low += Vector512.WidenLower(old);
                high += Vector512.WidenUpper(old);
            }

            to.Store(0, Vector512.Narrow(low, high), taps.Columns);
        }
    }
}
