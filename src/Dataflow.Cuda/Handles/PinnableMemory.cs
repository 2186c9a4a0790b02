using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>Finds how much host memory the driver pins, by pinning it for a moment: limits of the system alone do not tell.</summary>
public static class PinnableMemory
{
    private const long Smallest = 64 << 10;

    /// <summary>Pins more and more, at most <paramref name="wanted"/> bytes, and gives everything back.</summary>
    /// <param name="context">The GPU's context, current on this thread.</param>
    /// <param name="first">What is tried first, at most <paramref name="wanted"/>; then as much again as is pinned, or after a refusal
    /// half of what was refused.</param>
    /// <param name="wanted">Bytes that would do.</param>
    /// <returns>What was pinned at once, short of the limit by less than 128 KiB where that is less than what was wanted.</returns>
    public static Bytes Most(CudaContext context, Bytes first, Bytes wanted)
    {
        var held = new Stack<PinnedMemory>();
        try
        {
            long pinned = 0;
            bool refused = false;
            for (long step = first.Value; step >= Smallest && pinned < wanted.Value;)
            {
                step = Math.Min(step, wanted.Value - pinned);
                if (TryPin(context, new Bytes(step)) is { } memory)
                {
                    held.Push(memory);
                    pinned += step;
                    step = refused ? step : pinned;
                }
                else
                {
                    refused = true;
                    step /= 2;
                }
            }

            return new Bytes(pinned);
        }
        finally
        {
            while (held.TryPop(out var memory))
            {
                memory.Dispose();
            }
        }
    }

    private static PinnedMemory? TryPin(CudaContext context, Bytes length)
    {
        try
        {
            return PinnedMemory.Allocate(context, length, PinnedMemoryOptions.For("a trial"));
        }
        catch (MachineException)
        {
            return null; // the answer that is looked for
        }
    }
}
