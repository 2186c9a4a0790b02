using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>
/// What the figures of a plan or a prediction rest on: the machine's rates, and what of the budgets that machine is not known to have. One
/// value, so that every output says the same.
/// </summary>
/// <param name="Rates">Of the machine that was planned for; null where none was.</param>
/// <param name="Notes">Of the budgets, each a phrase; empty where nothing is to be said.</param>
public sealed record PlanStanding(Standing? Rates, ImmutableArray<string> Notes)
{
    /// <summary>More device memory was asked for than the machine has.</summary>
    public bool IsBeyondDevice { get; private init; }

    /// <summary>Everything in one line.</summary>
    public string Text => string.Join("; ", (Rates is null ? [] : new[] { Rates.Text }).Concat(Notes));

    /// <summary>The same without sizes, which rows of a result file have in columns of their own.</summary>
    public string InRow => $"{Rates?.Text}{(IsBeyondDevice ? "; a device budget beyond the machine's memory" : "")}";

    /// <summary>Of budgets on a machine.</summary>
    /// <param name="machine">What is planned for; null if no machine is known.</param>
    /// <param name="model">What is trained.</param>
    /// <param name="budget">Device and host memory that the plan may take.</param>
    /// <param name="hostIsThisMachines">The host budget was taken from the machine that plans, and not given for the one that is planned
    /// for.</param>
    public static PlanStanding Of(HardwareProfile? machine, ModelConfig model, MemoryBudget budget, bool hostIsThisMachines = false)
    {
        var notes = ImmutableArray.CreateBuilder<string>();
        bool beyond = machine?.DeviceMemory is { } memory && budget.Device > memory;
        if (beyond)
        {
            notes.Add(
                $"the device budget of {budget.Device} is more than the {machine!.DeviceMemory} that {machine.Name} has: no machine is "
                    + $"known that can run this"
            );
        }

        if (machine is not null && hostIsThisMachines)
        {
            notes.Add(
                $"the host budget of {budget.Host} is of the machine that plans: give --host-memory for the one that has the {machine.Name}"
            );
        }

        return new PlanStanding(machine is null ? null : Standing.Of(machine, model), notes.ToImmutable()) { IsBeyondDevice = beyond };
    }

    /// <summary>For people, below what they are about.</summary>
    public void WriteNotes(TextWriter output)
    {
        foreach (string note in Notes)
        {
            output.WriteLine($"  note: {note}");
        }
    }

    /// <summary>For machines.</summary>
    public JsonObject Json() => new()
    {
        ["rates"] = Rates?.Kind.ToString().ToLowerInvariant(),
        ["text"] = Text,
        ["notes"] = new JsonArray([.. Notes.Select(n => JsonValue.Create(n))]),
    };
}
