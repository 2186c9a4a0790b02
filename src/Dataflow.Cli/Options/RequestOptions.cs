using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>All that shapes a plan, for the verbs that plan without running: their plan is the one that `train` runs.</summary>
internal sealed class RequestOptions
{
    private readonly PlanOptions plan = new();
    private readonly PolicyOptions policy = PolicyOptions.OfPlans;
    private readonly DeviceOptions device = new();

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        plan.AddTo(command);
        policy.AddTo(command);
        device.AddKindTo(command);
    }

    /// <summary>The positional argument alone.</summary>
    public string ModelPath(ParseResult parsed) => plan.ModelPath(parsed);

    /// <summary>The budgets alone.</summary>
    public (Bytes? Device, Bytes? Host) Budgets(ParseResult parsed) => plan.Budgets(parsed);

    /// <summary>What was given, and who plans.</summary>
    /// <exception cref="UserErrorException">No sequence length, or no profile of the machine.</exception>
    /// <exception cref="MachineException">A GPU was asked for, and there is none that can be used.</exception>
    public (PlanSettings Plan, PolicySettings By) Bind(ParseResult parsed)
    {
        var where = device.Bind(parsed);
        var settings = where.Complete(plan.Bind(parsed));
        return (settings, policy.Bind(parsed, settings.Hardware, where.Kind));
    }
}
