using System.Collections.Immutable;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// The arenas and slots of a step: the device's pools, the homes of what travels, in the tiers that <see cref="HomeRule"/> says, and in the
/// tiers between a home and the device what a copy passes through.
/// </summary>
/// <param name="arenas">One for each tier, up to the farthest that has a home.</param>
/// <param name="slots">Those of the pools first, in their order.</param>
/// <param name="homes">By object: the slot of its home, or <see cref="Nowhere"/>.</param>
/// <param name="passages">By direction of a link beyond the host: the first of the slots that its copies pass through.</param>
internal sealed class StepPlaces(
    ImmutableArray<Arena> arenas,
    ImmutableArray<Slot> slots,
    int[] homes,
    IReadOnlyDictionary<LinkDirection, int> passages
)
{
    /// <summary>The home of what never travels.</summary>
    public const int Nowhere = -1;

    // One fills while the other empties.
    private const int Turns = 2;

    private readonly Dictionary<LinkDirection, int> passed = [];

    /// <summary>One for each tier, up to the farthest that has a home.</summary>
    public ImmutableArray<Arena> Arenas => arenas;

    /// <summary>Those of the pools first, in their order.</summary>
    public ImmutableArray<Slot> Slots => slots;

    /// <summary>The slot of an object's home, or <see cref="Nowhere"/>.</summary>
    public int HomeOf(int item) => homes[item];

    /// <summary>Of a program and what travels in it.</summary>
    public static StepPlaces Of(StepProgram program, TenancyResult tenancy)
    {
        var slots = new List<Slot>();
        var ends = new Bytes[MemoryTier.All.Length];
        int Add(string name, MemoryTier tier, Bytes length)
        {
            slots.Add(new Slot(name, tier.Index, ends[tier.Index], length));
            ends[tier.Index] += length;
            return slots.Count - 1;
        }

        foreach (var pool in program.Pools)
        {
            for (int i = 0; i < pool.SlotCount; i++)
            {
                Add(Numbered(pool.Name, i), MemoryTier.Device, pool.SlotLength);
            }
        }

        bool[] travels = Travels(program, tenancy);
        var lengths = HomeLengths(program, travels);
        var known = new Dictionary<string, int>();
        int[] homes = new int[travels.Length];
        var passing = new Bytes[MemoryTier.All.Length];
        int farthest = MemoryTier.Host.Index;
        for (int o = 0; o < homes.Length; o++)
        {
            homes[o] = Nowhere;
            if (!travels[o])
            {
                continue;
            }

            var item = program.Objects[o];
            if (!known.TryGetValue(item.Home, out homes[o]))
            {
                var home = HomeRule.TierOf(item);
                known[item.Home] = homes[o] = Add(HomeName(item), home, lengths[item.Home]);
                farthest = Math.Max(farthest, home.Index);
                for (int t = MemoryTier.Host.Index; t < home.Index; t++)
                {
                    passing[t] = Bytes.Max(passing[t], lengths[item.Home]);
                }
            }
        }

        var passages = new Dictionary<LinkDirection, int>();
        foreach (var link in LinkDirection.All.Where(d => passing[d.Near.Index] > Bytes.Zero))
        {
            passages[link] = slots.Count;
            for (int i = 0; i < Turns; i++)
            {
                Add(Numbered(PassageName(link), i), link.Near, passing[link.Near.Index]);
            }
        }

        ImmutableArray<Arena> arenas = [.. MemoryTier.All.Take(farthest + 1).Select(t => new Arena(t.Name, ends[t.Index]))];
        return new StepPlaces(arenas, [.. slots], homes, passages);
    }

    /// <summary>In the arenas and slots of another schedule over the same pools, whose homes the program shares.</summary>
    public static StepPlaces Within(Schedule other, StepProgram program, TenancyResult tenancy)
    {
        var byName = other.Slots.Select((s, i) => (s.Name, Index: i)).ToDictionary(s => s.Name, s => s.Index);
        bool[] travels = Travels(program, tenancy);
        int[] homes =
        [
            .. program.Objects.Select(
                (item, o) =>
                    byName.TryGetValue(HomeName(item), out int slot) ? slot
                    : travels[o] ? throw new InvalidOperationException($"{item.Name} travels, but the other schedule has no home for it")
                    : Nowhere
            ),
        ];
        var passages = LinkDirection.All.Where(d => byName.ContainsKey(Numbered(PassageName(d), 0)));
        return new StepPlaces(other.Arenas, other.Slots, homes, passages.ToDictionary(d => d, d => byName[Numbered(PassageName(d), 0)]));
    }

    /// <summary>
    /// The slots that a copy of an object passes, by tier: from its slot on the device to its home. Those between
    /// take turns, in each direction by themselves: call it once for every copy, in the order of their issue.
    /// </summary>
    public int[] PathOf(in Travel copy)
    {
        int home = homes[copy.Object];
        int[] path = new int[slots[home].Arena + 1];
        (path[0], path[^1]) = (copy.Slot, home);
        for (int t = MemoryTier.Host.Index; t < path.Length - 1; t++)
        {
            var beyond = new MemoryTier(t + 1);
            var link = copy.Fetch ? LinkDirection.From(beyond) : LinkDirection.To(beyond);
            int turn = passed.GetValueOrDefault(link);
            passed[link] = (turn + 1) % Turns;
            path[t] = passages[link] + turn;
        }

        return path;
    }

    /// <summary>Of each home: that of the longest of the objects that share it, which layers of several kinds may.</summary>
    private static Dictionary<string, Bytes> HomeLengths(StepProgram program, bool[] travels)
    {
        var lengths = new Dictionary<string, Bytes>();
        for (int o = 0; o < travels.Length; o++)
        {
            if (travels[o])
            {
                var item = program.Objects[o];
                lengths[item.Home] = Bytes.Max(lengths.GetValueOrDefault(item.Home), item.Length.Aligned);
            }
        }

        return lengths;
    }

    private static string HomeName(StepObject item) => "home/" + item.Home;

    private static string PassageName(LinkDirection link) => "via/" + link.Name;

    private static string Numbered(string name, int i) => string.Create(CultureInfo.InvariantCulture, $"{name}.{i}");

    private static bool[] Travels(StepProgram program, TenancyResult tenancy)
    {
        bool[] travels = new bool[program.Objects.Length];
        foreach (var copy in tenancy.Copies)
        {
            travels[copy.Object] = true;
        }

        return travels;
    }
}
