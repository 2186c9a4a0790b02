using System.Collections.ObjectModel;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>What a run must know besides weights and moments to go on as if it had never stopped.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Seed">Of the order of rows (and of the initial weights).</param>
/// <param name="Recipe">Its name.</param>
/// <param name="Geometry">On which results depend; budgets may change.</param>
public sealed record TrainingProgress(int Step, ulong Seed, string Recipe, Geometry Geometry)
{
    /// <summary>How many of the steps were skipped.</summary>
    public int Skipped { get; init; }

    /// <summary>Name of the optimizer.</summary>
    public string Optimizer { get; init; } = Model.Optimizer.AdamW.Name;

    /// <summary>
    /// What else shapes the run, by name, in the order in which people should read it: learning rate, clip, data and its fingerprint.
    /// Stored and given back as it is; what it holds is the program's matter.
    /// </summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = ReadOnlyDictionary<string, string>.Empty;
}
