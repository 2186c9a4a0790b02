using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>One configuration of a sweep.</summary>
/// <param name="Machine">As the results call it.</param>
/// <param name="Hardware">Its hardware profile.</param>
/// <param name="Model">A name in models/.</param>
/// <param name="Seqlen">Tokens of a sequence.</param>
/// <param name="HostGiB">Budget of host memory, in GiB.</param>
/// <param name="DeviceGiB">Budget of device memory, in GiB.</param>
public readonly record struct SweepCell(string Machine, string Hardware, string Model, int Seqlen, double HostGiB, double DeviceGiB)
{
    /// <summary>What tells it from the others in a result file.</summary>
    public (string, string, long, double, double) Key => (Machine, Model, Seqlen, HostGiB, DeviceGiB);
}

/// <summary>Budgets and lengths that are combined with each other.</summary>
public sealed record SweepGrid(int[] Seqlens, double[] HostGiB, double[] DeviceGiB);

/// <summary>How cells are measured.</summary>
/// <param name="Device">What runs them, as --device names it.</param>
/// <param name="Data">A text or, if it ends in .bin, token ids.</param>
/// <param name="Steps">Of a run, warm-up included.</param>
/// <param name="WarmupSteps">Steps that do not count, from the start.</param>
/// <param name="WarmupSeconds">Nor do those that begin within so many seconds of steps.</param>
/// <param name="LimitSeconds">A run that takes longer has failed.</param>
public sealed record SweepMeasurement(string Device, string Data, int Steps, int WarmupSteps, double WarmupSeconds, double LimitSeconds);

/// <summary>How many tokens a step has.</summary>
public enum SweepStep
{
    /// <summary>The policy's choice.</summary>
    Policy,

    /// <summary>As many as the published system's step on that machine has, which depends on no budget.</summary>
    Published,

    /// <summary>A number.</summary>
    Given,
}

/// <summary>An experiment of a sweep config.</summary>
public sealed record SweepExperiment
{
    /// <summary>As the config names it.</summary>
    public required string Name { get; init; }

    /// <summary>Profiles by the names that the results give them.</summary>
    public required IReadOnlyDictionary<string, string> Machines { get; init; }

    /// <summary>Names in models/.</summary>
    public required string[] Models { get; init; }

    /// <summary>Budgets and lengths of the cells.</summary>
    public required SweepGrid[] Grids { get; init; }

    /// <summary>Who plans.</summary>
    public required PlanPolicy Policy { get; init; }

    /// <summary>Null: the default of each machine.</summary>
    public required Recipe? Recipe { get; init; }

    /// <summary>How many tokens a step has.</summary>
    public required SweepStep Step { get; init; }

    /// <summary>Of a step, where <see cref="Step"/> says so.</summary>
    public required long Tokens { get; init; }

    /// <summary>Whether cells are simulated with the rates of deterministic kernels.</summary>
    public required bool Deterministic { get; init; }

    /// <summary>Who computes attention on a GPU; null: who is faster by the machine's profile.</summary>
    public required AttentionProvider? Attention { get; init; }

    /// <summary>Rank of the adapter that is trained of all matrices of the layers; null: the model is trained.</summary>
    public required int? LoraRank { get; init; }

    /// <summary>What the adapter's base is stored in; null: as the recipe's parameters.</summary>
    public required DType? BaseWeights { get; init; }

    /// <summary>Null: cells are simulated.</summary>
    public required SweepMeasurement? Measurement { get; init; }

    /// <summary>The experiment as it stands in the config, without the spaces.</summary>
    public required string Text { get; init; }

    /// <summary>All cells, in the order in which a finished file has them.</summary>
    /// <exception cref="UserErrorException">A cell is there twice.</exception>
    public IReadOnlyList<SweepCell> Cells()
    {
        List<SweepCell> cells =
        [
            .. from machine in Machines
            from model in Models
            from grid in Grids
            from seqlen in grid.Seqlens
            from host in grid.HostGiB
            from device in grid.DeviceGiB
            select new SweepCell(machine.Key, machine.Value, model, seqlen, host, device),
        ];
        return cells.GroupBy(c => c.Key).FirstOrDefault(g => g.Count() > 1)?.First() is { } twice
            ? throw new UserErrorException(
                $"experiment {Name} has {twice.Machine} {twice.Model} at seqlen {twice.Seqlen} with {twice.HostGiB} GiB of host and "
                    + $"{twice.DeviceGiB} GiB of device memory twice; leave it out of one grid"
            )
            : cells;
    }
}
