using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Baseline;

/// <summary>Where each operand is: rings of slots, taken in turn.</summary>
public sealed partial class BaselineLowering
{
    /// <summary>What a level is in terms of save sets: K and V, attention's output besides, or everything.</summary>
    public static SaveSet Saved(SaveLevel level) => level switch
    {
        SaveLevel.InputOnly => SaveSet.Kv,
        SaveLevel.Attention => SaveSet.Kv | SaveSet.Attention,
        _ => SaveSet.All,
    };

    private IEnumerable<Chunk> Chunks() => Enumerable.Range(0, chunks).Select(c => new Chunk(c));

    private static bool First(Round r, Chunk c, int first) => r.Index == 0 && c.Index == first;

    private int WeightSlot(int l) => memory.WeightSlot + (l % plan.Device.WeightBlocks);

    // From the top, since the backward begins there.
    private int GradientSlot(int l) => memory.GradientSlot + ((layers - 1 - l) % plan.Device.GradientBlocks);

    private int ActivationSlot(int pair) => memory.ActivationSlot + (pair % plan.Device.DevicePairs);

    private int KvSlot(int pair) => memory.KvSlot + (pair % plan.Device.DevicePairs);

    private int ActivationObject(int pair) => memory.Activations + (2 * pair);

    private int KvObject(int pair) => ActivationObject(pair) + 1;

    private int HomeOf(int pair) => memory.ActivationHome + (2 * pair);

    private Access Whole(string role, int item, int slot, AccessMode mode) => new(role, item, slot, Bytes.Zero, memory.Length(item), mode);

    private Access Resident(string role, int index, AccessMode mode) =>
        Whole(role, memory.Resident[index].Object, memory.Resident[index].Slot, mode);

    private Access Weights(Layer l, AccessMode mode) => Whole(Roles.Weights, memory.Weights + l.Index, WeightSlot(l.Index), mode);

    private Access Gradients(Layer l, AccessMode mode) => Whole(Roles.Gradients, memory.Gradients + l.Index, GradientSlot(l.Index), mode);

    private Access Activations(int pair, AccessMode mode) => Whole(Roles.Activations, ActivationObject(pair), ActivationSlot(pair), mode);

    private Access Kv(int pair, AccessMode mode) => Whole(Roles.Kv, KvObject(pair), KvSlot(pair), mode);

    /// <summary>The two buffers of a chunk's residual stream change roles from layer to layer.</summary>
    private Access Stream(string role, int position, Chunk c, AccessMode mode)
    {
        int index = (2 * c.Index) + (position % 2);
        return Whole(role, memory.Streams + index, memory.StreamSlot + index, mode);
    }

    /// <summary>K and V of the layer's chunks in the window.</summary>
    private IEnumerable<Access> Window(Layer l, int from, int to)
    {
        for (int c = from; c < to; c++)
        {
            yield return Whole(Roles.Kv, KvObject(plan.PairOf(l, new Chunk(c))), memory.WindowSlot + c, AccessMode.Read);
        }
    }

    private int Run(OpKind kind, Layer? l, Chunk? c, Round? r, ReadOnlySpan<Access> accesses, SaveSet saved = default, int piece = 0)
    {
        ops.Add(
            new ScheduledOp
            {
                Kind = kind,
                Stream = Compute,
                Layer = l,
                Chunk = c,
                Round = r,
                Piece = piece,
                Saved = saved,
                Accesses = [.. accesses],
            }
        );
        return ops.Count - 1;
    }

    private int Copy(OpKind kind, int stream, Layer? l, Chunk? c, Round? r, Move move, SaveSet saved = default)
    {
        ops.Add(new ScheduledOp
        {
            Kind = kind,
            Stream = stream,
            Layer = l,
            Chunk = c,
            Round = r,
            Saved = saved,
            Accesses =
            [
                Whole(Roles.From, move.Item, move.From, AccessMode.Read),
                Whole(Roles.To, move.Item, move.To, AccessMode.Write),
            ],
        });
        return ops.Count - 1;
    }

    /// <summary>What is copied, and its slots.</summary>
    private readonly record struct Move(int Item, int From, int To);
}
