using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>
/// Runs a schedule on virtual clocks: every stream takes up its ops in order, each as soon as the stream is free and its waits are
/// satisfied. A compute op takes its time; copies share the machine, so a copy's rate changes when another one starts or ends. Rounds that
/// repeat exactly are simulated once (<see cref="StepPeriod"/>). Times are whole nanoseconds. A function: the same arguments give the same
/// timeline.
/// </summary>
public static class Simulator
{
    // Two steps to settle, the one that is looked at, and one whose copies run beside it.
    private const int SteadyStep = 2;
    private const int SteadySteps = 4;

    /// <summary>
    /// The timeline of a step in the steady state of the loop: steps follow each other without a pause, a step's copies may run while the
    /// one before still computes, as its waits allow.
    /// </summary>
    /// <param name="schedule">The step.</param>
    /// <param name="costs">Per op.</param>
    /// <param name="links">The links that costs name.</param>
    public static Timeline Steady(Schedule schedule, ReadOnlySpan<OpCost> costs, LinkRates links) =>
        Run(schedule, costs, links, SteadySteps, SteadyStep, fold: true);

    /// <summary>The timeline of a step that starts on an idle machine and has it for itself.</summary>
    public static Timeline Alone(Schedule schedule, ReadOnlySpan<OpCost> costs, LinkRates links) =>
        Run(schedule, costs, links, 1, 0, fold: true);

    /// <summary>As <see cref="Steady"/> and <see cref="Alone"/>, every op one by one: what folding is held against.</summary>
    internal static Timeline Unfolded(Schedule schedule, ReadOnlySpan<OpCost> costs, LinkRates links, bool steady) =>
        steady ? Run(schedule, costs, links, SteadySteps, SteadyStep, fold: false) : Run(schedule, costs, links, 1, 0, fold: false);

    private static Timeline Run(Schedule schedule, ReadOnlySpan<OpCost> costs, LinkRates links, int steps, int shown, bool fold)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(costs.Length, schedule.Ops.Length);
        return new VirtualClocks(schedule, costs, links, steps, shown, fold).Run();
    }
}
