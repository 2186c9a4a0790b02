using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// All that planning knows of one family of objects: how long they are, in which pool of slots they take turns on the device, what of them
/// is at home on the host, how long they live. What depends on the residency is asked of it; what differs from object to object is asked
/// with the object's id.
/// </summary>
/// <param name="Family">What its objects are called.</param>
/// <param name="Part">Of parameters and their gradients: which of a layer's objects.</param>
internal sealed record ObjectRow(ObjectFamily Family, int Part = 0)
{
    private readonly string residentPool = $"{Prefix(Family, Part)}.resident";

    /// <summary>What people are shown.</summary>
    public string Label { get; init; } = Family.Label;

    /// <summary>The pool's name.</summary>
    public Func<ModelConfig, string> PoolName { get; init; } = _ => Prefix(Family, Part);

    /// <summary>Length of a slot: that of the longest object. It is asked once a workload.</summary>
    public Func<MemorySizes, Bytes> SlotLength { get; init; } = static _ => Bytes.Zero;

    /// <summary>The same where it depends on the residency; null: it does not.</summary>
    public Func<SizedResidency, Bytes>? SlotLengthIn { get; init; }

    /// <summary>How many slots: as many as the residency asks for, and no more than there are objects to fill them.</summary>
    public Func<SizedResidency, int> SlotCount { get; init; } = static _ => 1;

    /// <summary>Who leaves a full pool.</summary>
    public Func<SizedResidency, Replacement> Replacement { get; init; } = static _ => Planning.Replacement.FarthestUse;

    /// <summary>Objects that never leave and have a pool of their own; null: none.</summary>
    public Func<SizedResidency, int>? ResidentCount { get; init; }

    /// <summary>An object is one of these.</summary>
    public Func<SizedResidency, ObjectId, bool> IsResident { get; init; } = static (_, _) => false;

    /// <summary>Length of their slots; null: as the others'.</summary>
    public Func<SizedResidency, Bytes>? ResidentLengthIn { get; init; }

    /// <summary>How long an object's bytes matter.</summary>
    public Func<WorkloadKind, Lifetime> Life { get; init; } = static _ => Lifetime.Transient;

    /// <summary>Length of an object; null: it fills its slot.</summary>
    public Func<SizedResidency, ObjectId, Bytes>? Length { get; init; }

    /// <summary>The home of an object, which rounds share.</summary>
    public Func<SizedResidency, ObjectId, ObjectId> Home { get; init; } = static (_, id) => id with { Round = null };

    /// <summary>An object gives its slot up once its forward is over, although nobody wants the slot yet.</summary>
    public Func<SizedResidency, ObjectId, bool> LeavesAtOnce { get; init; } = static (_, _) => false;

    /// <summary>
    /// Bytes of all homes that objects have, given the number and the length of the slots in which they take turns; null: none ever leaves.
    /// </summary>
    public Func<SizedResidency, int, Bytes, Bytes>? Homes { get; init; }

    /// <summary>The name of the pool of an object.</summary>
    /// <param name="model">Whose objects they are.</param>
    /// <param name="resident">It never leaves and its like have a pool of their own.</param>
    public string PoolOf(ModelConfig model, bool resident) => resident ? residentPool : PoolName(model);

    /// <summary>Bytes of an object.</summary>
    public Bytes LengthOf(SizedResidency sized, ObjectId id) => Length is { } length ? length(sized, id) : LengthOfSlots(sized);

    /// <summary>Bytes of its slots on the device and of its homes on the host.</summary>
    public (Bytes Device, Bytes Host) MemoryOf(SizedResidency sized) => MemoryOf(sized, SlotLength(sized.Sizes).Aligned);

    /// <summary>The same where the length of slots that do not depend on the residency is known.</summary>
    public (Bytes Device, Bytes Host) MemoryOf(SizedResidency sized, Bytes knownLength)
    {
        int count = SlotCount(sized);
        var length = SlotLengthIn is { } lengthIn ? lengthIn(sized).Aligned : knownLength;
        var device = length * count;
        if (ResidentCount is { } residentCount)
        {
            device += (ResidentLengthIn?.Invoke(sized).Aligned ?? length) * residentCount(sized);
        }

        return (device, Homes is { } homes ? homes(sized, count, length) : Bytes.Zero);
    }

    /// <summary>Its pools as they follow each other: of objects that stay, of those that take turns.</summary>
    public IEnumerable<Pool> Pools(SizedResidency sized)
    {
        var length = LengthOfSlots(sized).Aligned;
        return
        [
            new(residentPool, ResidentLengthIn?.Invoke(sized).Aligned ?? length, ResidentCount?.Invoke(sized) ?? 0),
            new(PoolName(sized.Model), length, SlotCount(sized), Replacement(sized)),
        ];
    }

    private static string Prefix(ObjectFamily family, int part) =>
        part == 0 ? family.Prefix : string.Create(CultureInfo.InvariantCulture, $"{family.Prefix}{part}");

    private Bytes LengthOfSlots(SizedResidency sized) => SlotLengthIn?.Invoke(sized) ?? SlotLength(sized.Sizes);
}
