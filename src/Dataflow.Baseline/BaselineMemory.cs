using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Baseline;

/// <summary>
/// The arenas, slots and objects of a plan's schedule. The published system lays the optimizer's blocks over the slots of the rounds, which
/// rest meanwhile; slots of a schedule lie apart, so what is overlaid is an arena of its own here, as long as what it lies on, and the
/// lowering orders the two explicitly. Slots are the allocations of <see cref="DevicePartition"/>; a slot for a chunk's activations is two
/// here, one with the chunk's K and V, which travel apart from the rest in the backward.
/// </summary>
internal sealed class BaselineMemory
{
    public const int Device = 0;
    public const int Overlay = 1;
    public const int Host = 2;

    private readonly List<Slot> slots = [];
    private readonly List<DataObject> objects = [];
    private readonly Bytes[] ends = new Bytes[3];

    public BaselineMemory(BaselinePlan plan)
    {
        var (model, chunking, split) = (plan.Request.Model, plan.Chunking, plan.Device);
        var blocks = BlockSizes.Of(model);
        var sizes = plan.Activations;
        int layers = model.LayerCount, chunks = chunking.ChunksPerRound;
        var stream = new Bytes(2L * chunking.ChunkTokens * model.ModelDim);
        var kv = 2 * new Bytes(2L * chunking.ChunkTokens * model.KvDim).Aligned;
        OptimizerSlots = Math.Min(plan.OptimizerSlots, layers);

        // Slots come in the order of the published partition, objects with their homes.
        WeightSlot = AddSlots("W", Device, split.WeightBlocks, blocks.Block);
        GradientSlot = AddSlots("G", Device, split.GradientBlocks, blocks.Block);
        ActivationSlot = AddSlots("A", Device, split.DevicePairs, sizes.Full - kv);
        KvSlot = AddSlots("AKV", Device, split.DevicePairs, kv);
        WindowSlot = AddSlots("KV", Device, chunks, kv);
        GradWindowSlot = AddSlots("dKV", Device, 1, chunks * kv);
        StreamSlot = AddSlots("X", Device, 2 * chunks, stream);
        GradActivationsSlot = AddSlots("dA", Device, 1, sizes.Full);
        LogitsSlot = AddSlots("logits", Device, 1, new Bytes(2L * chunking.ChunkTokens * model.VocabSize));
        OptimizerSlot = AddSlots("O", Overlay, 2 * OptimizerSlots, blocks.Block);

        Weights = AddObjects("W", layers, _ => blocks.Block, Host, out WeightHome);
        Gradients = AddObjects("G", layers, _ => blocks.Block, Host, out GradientHome);
        First = AddObjects("O/M", layers, _ => blocks.Block, Host, out FirstHome);
        Second = AddObjects("O/V", layers, _ => blocks.Block, Host, out SecondHome);
        Resident = AddResident(blocks);
        Tokens = Add("T/tokens", new Bytes(12L * chunking.ChunkTokens * chunks), Device, out TokensSlot);
        Activations = objects.Count;
        ActivationHome = slots.Count;
        for (int pair = 0; pair < layers * chunks; pair++)
        {
            // Pairs of layers and chunks: those that stay have no home.
            bool stays = pair >= split.HomePairs;
            var length = sizes.Of(stays ? SaveLevel.Full : plan.Placement.Levels[pair]) - kv;
            string name = Name("", pair / chunks, pair % chunks);
            objects.Add(new DataObject("A" + name, length));
            objects.Add(new DataObject("KV" + name, kv));
            if (!stays)
            {
                AddSlot("home/A" + name, Host, length);
                AddSlot("home/KV" + name, Host, kv);
            }
        }

        Streams = AddObjects("X", 2 * chunks, _ => stream);
        GradWindow = AddObjects("dKV", 1, _ => chunks * kv);
        GradActivations = AddObjects("dA", 1, _ => sizes.Full);
        Logits = AddObjects("logits", 1, _ => new Bytes(2L * chunking.ChunkTokens * model.VocabSize));
        Kv = kv;
    }

    public readonly int WeightSlot,
        GradientSlot,
        ActivationSlot,
        KvSlot,
        WindowSlot,
        GradWindowSlot,
        StreamSlot,
        GradActivationsSlot,
        LogitsSlot,
        OptimizerSlot,
        TokensSlot;
    public readonly int WeightHome,
        GradientHome,
        FirstHome,
        SecondHome,
        ActivationHome;
    public readonly int Weights,
        Gradients,
        First,
        Second,
        Tokens,
        Activations,
        Streams,
        GradWindow,
        GradActivations,
        Logits;

    /// <summary>Embedding and head with gradients and both moments: objects, then their slots, in the order W, G, M, V.</summary>
    public readonly (int Object, int Slot)[] Resident;

    /// <summary>Pairs of slots for moments.</summary>
    public int OptimizerSlots { get; }

    /// <summary>K and V of a chunk in a layer.</summary>
    public Bytes Kv { get; }

    public Bytes Length(int item) => objects[item].Length;

    public IReadOnlyList<Slot> Slots => slots;

    public IReadOnlyList<DataObject> Objects => objects;

    public Arena[] Arenas =>
        [new(MemoryTier.Device.Name, ends[Device]), new("overlay", ends[Overlay]), new(MemoryTier.Host.Name, ends[Host])];

    private static string Name(string kind, int layer, int chunk) =>
        string.Create(CultureInfo.InvariantCulture, $"{kind}/L{layer:00}/C{chunk}");

    private (int, int)[] AddResident(BlockSizes blocks)
    {
        var items = new List<(int, int)>();
        foreach (string kind in new[] { "W", "G", "O/M", "O/V" })
        {
            items.Add((Add($"{kind}/embed", blocks.Embedding, Device, out int embed), embed));
            items.Add((Add($"{kind}/head", blocks.Head, Device, out int head), head));
        }

        return [.. items];
    }

    private int Add(string name, Bytes length, int arena, out int slot)
    {
        slot = AddSlot("of/" + name, arena, length);
        objects.Add(new DataObject(name, length));
        return objects.Count - 1;
    }

    private int AddSlot(string name, int arena, Bytes length)
    {
        slots.Add(new Slot(name, arena, ends[arena], length));
        ends[arena] += length.Aligned;
        return slots.Count - 1;
    }

    private int AddSlots(string name, int arena, int count, Bytes length)
    {
        int first = slots.Count;
        for (int i = 0; i < count; i++)
        {
            AddSlot(string.Create(CultureInfo.InvariantCulture, $"{name}.{i}"), arena, length);
        }

        return first;
    }

    private int AddObjects(string name, int count, Func<int, Bytes> length)
    {
        int first = objects.Count;
        for (int i = 0; i < count; i++)
        {
            objects.Add(new DataObject(string.Create(CultureInfo.InvariantCulture, $"{name}/{i:00}"), length(i)));
        }

        return first;
    }

    private int AddObjects(string name, int count, Func<int, Bytes> length, int arena, out int home)
    {
        home = slots.Count;
        for (int i = 0; i < count; i++)
        {
            AddSlot(string.Create(CultureInfo.InvariantCulture, $"home/{name}/{i:00}"), arena, length(i));
        }

        return AddObjects(name, count, length);
    }
}
