using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// Offsets for tensors that live within a program: each is placed at the lowest offset free over its lifetime (first to last call that
/// names it), largest tensors first, so that scratch is little more than the most that is alive at once.
/// </summary>
internal static class ScratchLayout
{
    public static (ImmutableDictionary<TensorName, Bytes> Offsets, Bytes Length) Of(
        IReadOnlyList<KernelCall> calls, IReadOnlyDictionary<TensorName, Bytes> sizes)
    {
        var lives = new Dictionary<TensorName, (int First, int Last)>();
        for (int i = 0; i < calls.Count; i++)
        {
            foreach (var tensor in calls[i].Operands.Select(o => o.Tensor).Where(sizes.ContainsKey))
            {
                lives[tensor] = lives.TryGetValue(tensor, out var life) ? (life.First, i) : (i, i);
            }
        }

        var placed = new List<(long Offset, long End, int First, int Last)>();
        var offsets = ImmutableDictionary.CreateBuilder<TensorName, Bytes>();
        long length = 0;
        foreach (var (tensor, (first, last)) in lives.OrderByDescending(l => sizes[l.Key]).ThenBy(l => l.Key))
        {
            long size = sizes[tensor].Aligned.Value;
            long offset = 0;
            foreach (var other in placed.Where(p => p.First <= last && first <= p.Last).OrderBy(p => p.Offset))
            {
                if (offset + size <= other.Offset)
                {
                    break;
                }

                offset = Math.Max(offset, other.End);
            }

            placed.Add((offset, offset + size, first, last));
            offsets[tensor] = new Bytes(offset);
            length = Math.Max(length, offset + size);
        }

        return (offsets.ToImmutable(), new Bytes(length));
    }
}
