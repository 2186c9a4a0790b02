using System.Collections.Immutable;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>
/// From a request to a plan: geometry, residency, program, tenancy, slots, waits. Total and pure: every request has an answer, and the
/// same request has the same answer on any machine.
/// </summary>
public static class Planner
{
    /// <summary>The best candidate that fits both budgets, or why none does.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself.</exception>
    public static PlanResult Plan(PlanRequest request)
    {
        var candidates = new PlanCandidates(request);
        return candidates.Best(request.Budget) is { } best
            ? new PlanResult.Feasible(Finish(best.Workload, best.Programs, best.Residency, request.Budget, request.Reserve))
            : Refusal.Explain(request, candidates.Limits);
    }

    /// <summary>
    /// The least device memory that works at the request's host memory and the least host memory that works at its device memory; null
    /// where none does.
    /// </summary>
    public static (Bytes? Device, Bytes? Host) Smallest(PlanRequest request)
    {
        var limits = PlanLimits.OfRules(request);
        return (limits.LeastDevice(request.Budget.Host), limits.LeastHost(request.Budget.Device));
    }

    /// <summary>The plan of a choice that <see cref="PlanSearch"/> made for the request, now or in an earlier run.</summary>
    /// <param name="request">What is planned.</param>
    /// <param name="choice">What was chosen for it.</param>
    /// <param name="machine">The machine that it is for.</param>
    /// <exception cref="UserErrorException">The choice is none for the request: outside the limits, or larger than its budget.</exception>
    public static TrainingPlan PlanFor(PlanRequest request, PlanChoice choice, CostModel machine)
    {
        var workload = request.In(choice.Geometry);
        if ((GeometryLimits.Fault(choice.Geometry, request.Model) ?? ResidencyLimits.Fault(workload, choice.Residency)) is { } fault)
        {
            throw new UserErrorException($"the choice cannot be planned: {fault}");
        }

        var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        var footprint = Footprint.Of(workload, programs, choice.Residency);
        if (!footprint.Fits(request.Budget with { Device = request.Budget.Device - request.Reserve.For(footprint.Host) }))
        {
            throw new UserErrorException(
                $"the choice takes {footprint.Device} of device and {footprint.Host} of host memory, more than its budget"
            );
        }

        return Finish(workload, programs, choice.Residency, request.Budget, request.Reserve, machine);
    }

    /// <summary>The schedule of a residency, without proof that it fits anything.</summary>
    internal static Schedule Lower(Workload workload, BlockPrograms programs, Residency residency, OpTimer timer)
    {
        var program = StepLowering.Lower(workload, programs, residency);
        return WaitInference.Infer(SlotAssignment.Assign(program, Tenancy.Settle(program), [], timer));
    }

    /// <summary>The plan of a residency that was chosen elsewhere; its budget is what it needs.</summary>
    internal static TrainingPlan PlanFor(Workload workload, Residency residency, CostModel? machine = null)
    {
        var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        var footprint = Footprint.Of(workload, programs, residency);
        return Finish(workload, programs, residency, new MemoryBudget(footprint.Host, footprint.Device), DeviceReserve.None, machine);
    }

    /// <summary>
    /// A step without backward and update, over the arenas of a training plan and between two of its steps: it finds parameters where
    /// training left them and leaves them there.
    /// </summary>
    public static Schedule Evaluation(TrainingPlan plan)
    {
        var workload = plan.Workload with { Kind = WorkloadKind.Evaluation };
        var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);

        // Without a backward the layers pass in the same order again and again.
        var rows = ObjectFamilies.OfLayers(ObjectFamilies.Weights, new MemorySizes(workload, programs).Rows);
        var weights = rows.Select(r => r.PoolName(workload.Model)).ToHashSet();
        var pools = plan
            .Pools.Select(p => weights.Contains(p.Name) ? p with { Replacement = Replacement.LongestIdle } : p)
            .ToImmutableArray();
        var program = StepLowering.Lower(workload, programs, plan.Residency, pools);
        string NameOf(Placement p) => plan.Schedule.Objects[p.Object].Name;
        bool OnDevice(Placement p) => plan.Schedule.IsIn(MemoryTier.Device, p.Slot);
        var resident = plan.Schedule.State.Where(OnDevice).ToDictionary(NameOf, p => p.Slot);
        var atHome = plan.Schedule.State.Where(p => !OnDevice(p)).Select(NameOf).ToHashSet();
        var tenancy = Tenancy.Between(program, resident, atHome);
        return WaitInference.Infer(SlotAssignment.Within(plan.Schedule, program, tenancy, Facts(workload)));
    }

    private static TrainingPlan Finish(
        Workload workload,
        BlockPrograms programs,
        Residency residency,
        MemoryBudget budget,
        DeviceReserve reserve,
        CostModel? machine = null
    )
    {
        var program = StepLowering.Lower(workload, programs, residency);
        var schedule = WaitInference.Infer(
            SlotAssignment.Assign(
                program,
                Tenancy.Settle(program),
                Facts(workload),
                machine is null ? null : new OpTimer(workload, programs, machine)
            )
        );
        var plan = new TrainingPlan(workload, budget, residency, program.Pools, schedule, ScheduleHash.Of(schedule))
        {
            Reserved = reserve.For(schedule.LengthOf(MemoryTier.Host)),
        };
        return plan.Tiers.All(t => plan.PeakOf(t) <= budget.Of(t))
            ? plan
            : throw new InvalidOperationException(
                $"the plan takes {string.Join(" and ", schedule.Arenas.Select(a => $"{a.Length} of {a.Name}"))} memory, more than its "
                    + $"footprint said, {budget.Device} and {budget.Host}: {residency} {workload.Geometry} {workload.Kind}"
            );
    }

    private static ImmutableArray<KeyValuePair<string, string>> Facts(Workload workload)
    {
        var g = workload.Geometry;
        static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
        return
        [
            new("model", workload.Model.Name),
            new("recipe", workload.Recipe.Name),
            new("kind", workload.Kind.ToString()),
            new("seqlen", Text(g.Seqlen)),
            new("rows", Text(g.Rows)),
            new("chunk_tokens", Text(g.ChunkTokens)),
            new("chunks_per_round", Text(g.ChunksPerRound)),
            new("rounds_per_step", Text(g.Rounds)),
            new("head_tokens", Text(g.HeadTokens)),
            new("vocabulary_blocks", Text(g.VocabularyBlocks)),
            .. StepFacts.OptimizerOf(workload),
            .. StepFacts.RouterOf(workload),
            .. StepFacts.FrozenOf(workload),
            .. StepFacts.AdapterOf(workload),
            .. StepFacts.BaseOf(workload),
            .. StepFacts.CacheOf(workload),
            .. StepFacts.WeightsOf(workload),
            .. StepFacts.PairsOf(workload),
            .. StepFacts.AttentionOf(workload),
            .. StepFacts.ExpertsOf(workload),
        ];
    }
}
