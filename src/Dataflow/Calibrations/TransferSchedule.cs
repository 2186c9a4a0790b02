using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow;

/// <summary>Steps of nothing but copies, or of nothing but tiny kernels, in the form that every device takes.</summary>
internal static class TransferSchedule
{
    /// <summary>So many copies of so many bytes in each direction; both directions run at once if both have any.</summary>
    public static Schedule Copies(int toDevice, int toHost, Bytes size) => Make(toDevice + toHost, size, (slots, i) =>
        {
            bool fetch = i < toDevice;
            var (from, to) = fetch ? (slots.Host(i), slots.Device(i)) : (slots.Device(i), slots.Host(i));
            return new ScheduledOp
            {
                Kind = fetch ? OpKind.Fetch : OpKind.Save,
                Stream = StepStreams.Of(fetch ? LinkDirection.HostToDevice : LinkDirection.DeviceToHost),
                Accesses =
                [
                    new Access(Roles.From, i, from, Bytes.Zero, size, AccessMode.Read),
                    new Access(Roles.To, i, to, Bytes.Zero, size, AccessMode.Write),
                ],
            };
        });

    /// <summary>So many kernels on a few bytes each.</summary>
    public static Schedule Launches(int count)
    {
        var size = new Bytes(Bytes.Alignment);
        return Make(count, size, (slots, i) => new ScheduledOp
            {
                Kind = OpKind.Zero,
                Stream = StepStreams.Compute,
                Accesses = [new Access(Roles.Gradients, i, slots.Device(i), Bytes.Zero, size, AccessMode.Write)],
            });
    }

    private static Schedule Make(int objects, Bytes size, Func<Places, int, ScheduledOp> op)
    {
        var places = new Places(objects);
        var length = size.Aligned;
        MemoryTier[] tiers = [MemoryTier.Device, MemoryTier.Host];
        Slot SlotOf(string name, MemoryTier tier, int i) => new($"{name}.{i}", tier.Index, new Bytes(length.Value * i), length);
        return new Schedule
        {
            Facts = [],
            Arenas = [.. tiers.Select(t => new Arena(t.Name, new Bytes(length.Value * objects)))],
            Streams = StepStreams.Of(tiers.Length),
            Slots =
            [
                .. Enumerable.Range(0, objects).Select(i => SlotOf("D", MemoryTier.Device, i)),
                .. Enumerable.Range(0, objects).Select(i => SlotOf("H", MemoryTier.Host, i)),
            ],
            Objects = [.. Enumerable.Range(0, objects).Select(i => new DataObject(NameOf(new Layer(i)), size))],
            Inputs = [],
            State =
            [
                .. Enumerable
                    .Range(0, objects)
                    .SelectMany(i => new[] { new Placement(i, places.Device(i)), new Placement(i, places.Host(i)) }),
            ],
            Outputs = [],
            Ops = [.. Enumerable.Range(0, objects).Select(i => op(places, i))],
        };
    }

    private static string NameOf(Layer layer) => new ObjectId(ObjectFamily.Weights) { Layer = layer }.ToString();

    private readonly record struct Places(int Objects)
    {
        public int Device(int i) => i;

        public int Host(int i) => Objects + i;
    }
}
