using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>The options that say who plans.</summary>
internal sealed class PolicyFlags
{
    private readonly Option<PlanPolicy?> policy;
    private readonly Option<bool> noCache = Declare.Flag(
        "--no-cache",
        "use nothing that an earlier run found or measured, and keep nothing for later ones"
    );

    private PolicyFlags(PlanPolicy[] among, string meaning) => policy = Declare.Option<PlanPolicy?>(
        "--policy", string.Join('|', among.Select(PlanPolicies.NameOf)), meaning, t => PlanPolicies.Named(t, among));

    /// <summary>For plans that run.</summary>
    public static PolicyFlags OfPlans =>
        new(
            PlanPolicies.Running,
            "who plans: auto searches for the fastest plan on the machine, simple takes the first that fits [default: auto where the "
                + "machine has a profile]"
        );

    /// <summary>For plans that are simulated.</summary>
    public static PolicyFlags OfSimulation =>
        new(
            PlanPolicies.All,
            "who plans: auto searches for the fastest plan, simple takes the first that fits, reference is the published reference system "
                + "with its own step [default: auto]"
        );

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(policy);
        command.Options.Add(noCache);
    }

    /// <summary>The policy alone; null if none was given.</summary>
    public PlanPolicy? Given(ParseResult parsed) => parsed.GetValue(policy);

    /// <summary>Where found plans are remembered.</summary>
    public PlanCache Cache(ParseResult parsed) => parsed.GetValue(noCache) ? PlanCache.None : PlanCache.OfThisMachine;

    /// <summary>The plan, with what was given.</summary>
    public PlanOptions Bind(ParseResult parsed, PlanOptions plan) => plan with
    {
        Policy = Given(parsed),
        NoCache = parsed.GetValue(noCache),
    };
}
