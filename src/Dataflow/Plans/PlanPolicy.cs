using Dataflow.Model;

namespace Dataflow;

/// <summary>How a plan is made.</summary>
public enum PlanPolicy
{
    /// <summary>The fastest plan that a search finds for a machine.</summary>
    Auto,

    /// <summary>The planner's own rules, which know no machine: the first plan that fits.</summary>
    Simple,

    /// <summary>The published reference system's decisions and its own step: for simulation alone.</summary>
    Reference,
}

/// <summary>Policies by name.</summary>
public static class PlanPolicies
{
    /// <summary>Those that make plans which run.</summary>
    public static readonly PlanPolicy[] Running = [PlanPolicy.Auto, PlanPolicy.Simple];

    /// <summary>All that can be simulated.</summary>
    public static readonly PlanPolicy[] All = [PlanPolicy.Auto, PlanPolicy.Simple, PlanPolicy.Reference];

    /// <summary>Its name.</summary>
    public static string NameOf(PlanPolicy policy) => policy switch
    {
        PlanPolicy.Auto => "auto",
        PlanPolicy.Simple => "simple",
        PlanPolicy.Reference => "reference",
        _ => throw new ArgumentOutOfRangeException(nameof(policy), policy, "no policy"),
    };

    /// <summary>The one of that name.</summary>
    /// <exception cref="UserErrorException">There is none of that name among these.</exception>
    public static PlanPolicy Named(string text, PlanPolicy[] among)
    {
        int found = Array.FindIndex(among, p => NameOf(p) == text);
        return found >= 0
            ? among[found]
            : throw new UserErrorException(
                $"'{text}' is no policy; choose {string.Join(", ", among[..^1].Select(NameOf))} or {NameOf(among[^1])}"
            );
    }
}

/// <summary>Who plans a run.</summary>
/// <param name="Policy">Auto or simple.</param>
/// <param name="Machine">The machine that auto plans for, and that predictions of a plan without a run are for; null if there is
/// none.</param>
/// <param name="Cache">What auto found before.</param>
public sealed record PolicySettings(PlanPolicy Policy, HardwareProfile? Machine, PlanCache Cache)
{
    /// <summary>Whether what was found or measured may be kept for later runs.</summary>
    public bool Remembers { get; init; } = true;

    /// <summary>The rules that know no machine.</summary>
    public static PolicySettings Simple { get; } = new(PlanPolicy.Simple, null, PlanCache.None);

    /// <summary>What was asked for; auto where nothing was and there is a machine to plan for.</summary>
    /// <exception cref="UserErrorException">Auto was asked for, and there is no machine.</exception>
    public static PolicySettings Choose(PlanPolicy? given, HardwareProfile? machine, PlanCache cache) =>
        (given, machine) switch
        {
            (PlanPolicy.Auto, null) => throw new UserErrorException(
                "policy auto plans for a machine, and this one has no profile: measure it with `dataflow calibrate`, name one with "
                    + "--hardware, or choose --policy simple"
            ),
            (PlanPolicy.Simple, _) or (null, null) => new PolicySettings(PlanPolicy.Simple, machine, PlanCache.None)
            {
                Remembers = cache != PlanCache.None,
            },
            _ => new PolicySettings(PlanPolicy.Auto, machine, cache) { Remembers = cache != PlanCache.None },
        };
}
