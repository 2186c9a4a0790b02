using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Schedules.Tests;

/// <summary>
/// A step of the shape that lowering makes, of any size, without waits: weights and gradients streamed layer by layer through rings of two
/// slots, activations saved to the host and fetched back, a K,V window that later chunks read in part.
/// </summary>
internal sealed class SyntheticStep
{
    private static readonly Bytes Size = new(1 << 20);

    private readonly ImmutableArray<Slot>.Builder slots = ImmutableArray.CreateBuilder<Slot>();
    private readonly ImmutableArray<DataObject>.Builder objects = ImmutableArray.CreateBuilder<DataObject>();
    private readonly ImmutableArray<ScheduledOp>.Builder ops = ImmutableArray.CreateBuilder<ScheduledOp>();
    private readonly long[] ends = new long[2];

    /// <summary>(4 + 4 chunks) x layers x rounds ops, and a few more.</summary>
    public static Schedule Make(int layers, int chunks, int rounds) => new SyntheticStep().Build(layers, chunks, rounds);

    private Schedule Build(int layers, int chunks, int rounds)
    {
        const int Host = 0;
        const int Device = 1;
        int[] w = Objects("W", layers, Size);
        int[] g = Objects("G", layers, Size);
        int[] x = Objects("X", chunks, Size);
        int[] kv = Objects("KV", layers, Size * chunks);
        int[] a = Objects("A", layers * chunks, Size);
        int[] wHost = Slots("W.host", layers, Host, Size);
        int[] gHost = Slots("G.host", layers, Host, Size);
        int[] aHost = Slots("A.host", layers * chunks, Host, Size);
        int[] wRing = Slots("W", 2, Device, Size);
        int[] gRing = Slots("G", 2, Device, Size);
        int[] aRing = Slots("A", 8, Device, Size);
        int[] xSlot = Slots("X", chunks, Device, Size);
        int[] window = Slots("KV", 2, Device, Size * chunks);

        for (int k = 0; k < layers; k++)
        {
            Add(OpKind.Zero, 2, k, null, 0, new Access("g", g[k], gHost[k], Bytes.Zero, Size, AccessMode.Write));
        }

        for (int r = 0; r < rounds; r++)
        {
            for (int c = 0; c < chunks; c++)
            {
                Add(OpKind.Embed, 0, null, c, r, new Access("x", x[c], xSlot[c], Bytes.Zero, Size, AccessMode.Write));
            }

            for (int k = 0; k < layers; k++)
            {
                Copy(OpKind.Fetch, 1, w[k], wHost[k], wRing[k % 2], k, null, r);
                for (int c = 0; c < chunks; c++)
                {
                    int i = (k * chunks) + c;
                    ImmutableArray<Access> accesses =
                    [
                        new Access("w", w[k], wRing[k % 2], Bytes.Zero, Size, AccessMode.Read),
                        new Access("x", x[c], xSlot[c], Bytes.Zero, Size, AccessMode.ReadWrite),
                        new Access("kv", kv[k], window[k % 2], Size * c, Size, AccessMode.Write),
                        new Access("a", a[i], aRing[i % 8], Bytes.Zero, Size, AccessMode.Write),
                    ];
                    Add(OpKind.Forward, 0, k, c, r, c == 0 ? accesses
                        : accesses.Add(new Access("past", kv[k], window[k % 2], Bytes.Zero, Size * c, AccessMode.Read)));
                    Copy(OpKind.Save, 2, a[i], aRing[i % 8], aHost[i], k, c, r);
                }
            }

            for (int k = layers - 1; k >= 0; k--)
            {
                Copy(OpKind.Fetch, 1, w[k], wHost[k], wRing[k % 2], k, null, r);
                Copy(OpKind.Fetch, 1, g[k], gHost[k], gRing[k % 2], k, null, r);
                for (int c = chunks - 1; c >= 0; c--)
                {
                    int i = (k * chunks) + c;
                    Copy(OpKind.Fetch, 1, a[i], aHost[i], aRing[i % 8], k, c, r);
                    Add(
                        OpKind.Backward, 0, k, c, r,
                        new Access("w", w[k], wRing[k % 2], Bytes.Zero, Size, AccessMode.Read),
                        new Access("g", g[k], gRing[k % 2], Bytes.Zero, Size, AccessMode.ReadWrite),
                        new Access("a", a[i], aRing[i % 8], Bytes.Zero, Size, AccessMode.Read),
                        new Access("dx", x[c], xSlot[c], Bytes.Zero, Size, AccessMode.ReadWrite));
                }

                Copy(OpKind.Save, 2, g[k], gRing[k % 2], gHost[k], k, null, r);
            }
        }

        return new Schedule
        {
            Facts = [],
            Arenas = [new Arena("host", new Bytes(ends[Host])), new Arena("device", new Bytes(ends[Device]))],
            Streams = ["compute", "h2d", "d2h"],
            Slots = slots.ToImmutable(),
            Objects = objects.ToImmutable(),
            Inputs = [],
            State = [.. w.Zip(wHost, (o, s) => new Placement(o, s))],
            Outputs = [.. g.Zip(gHost, (o, s) => new Placement(o, s))],
            Ops = ops.ToImmutable(),
        };
    }

    private int[] Objects(string name, int count, Bytes size) => [.. Enumerable.Range(0, count).Select(i =>
    {
        objects.Add(new DataObject($"{name}/{i:00}", size));
        return objects.Count - 1;
    })];

    private int[] Slots(string name, int count, int arena, Bytes size) => [.. Enumerable.Range(0, count).Select(i =>
    {
        slots.Add(new Slot($"{name}.{i}", arena, new Bytes(ends[arena]), size));
        ends[arena] += size.Value;
        return slots.Count - 1;
    })];

    private void Copy(OpKind kind, int stream, int o, int source, int target, int layer, int? chunk, int round) => Add(
        kind, stream, layer, chunk, round,
        new Access("from", o, source, Bytes.Zero, Size, AccessMode.Read), new Access("to", o, target, Bytes.Zero, Size, AccessMode.Write));

    private void Add(OpKind kind, int stream, int? layer, int? chunk, int round, params ImmutableArray<Access> accesses) =>
        ops.Add(
            new ScheduledOp
            {
                Kind = kind,
                Stream = stream,
                Layer = layer is { } k ? new Layer(k) : null,
                Chunk = chunk is { } c ? new Chunk(c) : null,
                Round = new Round(round),
                Saved = kind == OpKind.Forward ? SaveSet.Kv | SaveSet.Attention : SaveSet.None,
                Accesses = accesses,
            }
        );
}
