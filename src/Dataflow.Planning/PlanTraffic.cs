using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>Copies of one kind of object in one direction during a step.</summary>
public sealed record Traffic(string Kind, bool ToDevice, int Copies, Bytes Bytes);

/// <summary>What a step moves and what it computes twice.</summary>
public sealed record PlanTraffic(ImmutableArray<Traffic> Copies, ImmutableArray<(string Tensors, int Ops)> Recomputed)
{
    /// <summary>Kinds of objects by the first part of their name, in the order in which they are listed.</summary>
    private static readonly (string Prefix, string Kind)[] Kinds =
    [
        ("W", "parameters"), ("G", "gradients"), ("O", "optimizer state"), ("A", "activations"), ("X", "residual stream"),
        ("KV", "keys and values"), ("KVr", "keys and values"), ("dX", "stream gradients"), ("dH", "head gradients"), ("stats", "logit statistics"),
        ("dKV", "gradients of keys and values"), ("T", "tokens"), ("loss", "losses"), ("scratch", "scratch"),
    ];

    /// <summary>Counts the copies and recomputations of a schedule.</summary>
    public static PlanTraffic Of(Schedule schedule)
    {
        var copies = schedule.Ops.Where(o => o.Kind is OpKind.Fetch or OpKind.Save)
            .GroupBy(o => (Kind: KindOf(schedule.Objects[o.Accesses[0].Object].Name), ToDevice: o.Kind == OpKind.Fetch))
            .OrderBy(g => Array.FindIndex(Kinds, k => k.Kind == g.Key.Kind)).ThenByDescending(g => g.Key.ToDevice)
            .Select(g => new Traffic(g.Key.Kind, g.Key.ToDevice, g.Count(), new Bytes(g.Sum(o => o.Accesses[0].Length.Value))));
        var recomputed = schedule.Ops.Where(o => o.Kind == OpKind.Recompute)
            .GroupBy(o => o.Wanted).OrderBy(g => g.Key).Select(g => (g.Key.ToString(), g.Count()));
        return new PlanTraffic([.. copies], [.. recomputed]);
    }

    /// <summary>What an object of that name is, for people: "W/L05" is of the kind "parameters".</summary>
    public static string KindOf(string name)
    {
        string prefix = name.Split('/')[0];
        return Array.Find(Kinds, k => k.Prefix == prefix).Kind ?? prefix;
    }
}
