using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Baseline;
using Dataflow.Reports;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>What a request would do on its machine.</summary>
public abstract record SimulationAnswer(SimulationRequest Request)
{
    /// <summary>It does not fit, and why.</summary>
    /// <param name="Request">What was asked for.</param>
    /// <param name="Reason">A sentence for the user.</param>
    /// <param name="Smallest">The least device memory at the host budget and the least host memory at the device budget; null where that is
    /// not known.</param>
    public sealed record Infeasible(SimulationRequest Request, string Reason, (Bytes Device, Bytes Host)? Smallest = null)
        : SimulationAnswer(Request)
    {
        /// <summary>
        /// What else could be asked for within the budgets, as written on the command line; each was tried. Empty where nobody looked.
        /// </summary>
        public IReadOnlyList<string> Changes { get; init; } = [];
    }

    /// <summary>It fits.</summary>
    public sealed record Feasible(SimulationRequest Request, SimulatedStep Step) : SimulationAnswer(Request);

    /// <summary>Plans, lowers and simulates.</summary>
    /// <param name="request">What is to be simulated.</param>
    /// <param name="search">What policy auto asks: one of the same request but for the budgets. The other policies ask none.</param>
    /// <param name="explain">Whether to say why the step takes as long as it does.</param>
    /// <exception cref="UserErrorException">The request contradicts itself, or the policy does not know the machine or the
    /// model.</exception>
    public static SimulationAnswer Of(SimulationRequest request, BudgetSearch? search, bool explain = false)
    {
        try
        {
            return request.Policy == PlanPolicy.Reference
                ? SimulatedStep.OfReference(request, explain)
                : SimulatedStep.OfPlan(request, search, explain);
        }
        catch (OverflowException)
        {
            throw new UserErrorException("seqlen and step of this size take more memory than can be counted; give smaller ones");
        }
    }

    /// <summary>
    /// The search that answers a request and all that differ from it in budgets alone; null if its policy does not search.
    /// </summary>
    /// <exception cref="UserErrorException">The step is no whole number of rows.</exception>
    public static BudgetSearch? SearchFor(SimulationRequest request, PlanCache cache, bool explain = false) =>
        request.Policy == PlanPolicy.Auto
            ? new BudgetSearch(request.ToPlan(), request.Hardware, cache, explain ? PlanExplanation.Largest(request.Budget) : null)
            : null;

    /// <summary>Why a request has no answer.</summary>
    public static Infeasible Of(SimulationRequest request, PlanResult.Infeasible why) =>
        new(request, why.Reason, (why.SmallestDevice, why.SmallestHost));
}

/// <summary>A simulated step and what it says.</summary>
public sealed record SimulatedStep
{
    /// <summary>The step that was simulated.</summary>
    public required Schedule Schedule { get; init; }

    /// <summary>When each of its ops runs.</summary>
    public required Timeline Timeline { get; init; }

    /// <summary>Per op.</summary>
    public required ImmutableArray<OpCost> Costs { get; init; }

    /// <summary>How the step is cut into rounds and chunks.</summary>
    public required Geometry Geometry { get; init; }

    /// <summary>Bytes of device memory that the plan takes, reserve included.</summary>
    public required Bytes Device { get; init; }

    /// <summary>Bytes of host memory that the plan takes.</summary>
    public required Bytes Host { get; init; }

    /// <summary>Of a step: in the steady state of the loop, or as the published system measures it.</summary>
    public required double Seconds { get; init; }

    /// <summary>
    /// Seconds that no order of the same work could beat: kernels at their ceilings, copies at the link's rate, all side by side.
    /// </summary>
    public required double SpeedOfLight { get; init; }

    /// <summary>Tokens and FLOPs a second, and utilization.</summary>
    public required Throughput Throughput { get; init; }

    /// <summary>The plan's hash.</summary>
    public required string Hash { get; init; }

    /// <summary>What becomes of activations.</summary>
    public required SaveCounts Saved { get; init; }

    /// <summary>Of model and recomputed FLOPs, the fractions that are recomputed and that are attention.</summary>
    public required FlopShares Shares { get; init; }

    /// <summary>Why it takes as long as it does; null where that was not asked.</summary>
    public PlanExplanation? Why { get; private init; }

    /// <summary>What compute waited for, longest first.</summary>
    public IReadOnlyList<(string Reason, long Nanoseconds, int Times)> Stalls =>
        [.. ComputeStalls.Of(Schedule, Timeline).Select(s => (Reason(s), s.Nanoseconds, s.Ops))];

    private static string Reason(ComputeStall stall) =>
        stall.Awaited is { } op ? ShownNames.Awaited(op, stall.Kind) : "nothing (the step before)";

    /// <summary>The planner's own plan, found by a search or by the simple rules, in the steady state of its steps.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself.</exception>
    public static SimulationAnswer OfPlan(SimulationRequest request, BudgetSearch? search, bool explain)
    {
        var (result, found) = search is null ? (Planner.Plan(request.ToPlan()), null)
            : explain ? search.Search(request.Budget)
            : (search.Plan(request.Budget), null);
        if (result is PlanResult.Infeasible infeasible)
        {
            return SimulationAnswer.Of(request, infeasible);
        }

        var step = Of(request, ((PlanResult.Feasible)result).Plan);
        if (!explain)
        {
            return new SimulationAnswer.Feasible(request, step);
        }

        var why = step.Explained(Plans.CostsOn(request.Hardware, request.ChosenRecipe).Links, rates =>
            Simulator.Steady(step.Schedule, step.Costs.AsSpan(), rates).StepNanoseconds
        );
        return new SimulationAnswer.Feasible(
            request,
            step with
            {
                Why = found is null ? why : why.With(found, request.Budget, search!.Find),
            }
        );
    }

    /// <summary>A plan for a request, in the steady state of its steps.</summary>
    public static SimulatedStep Of(SimulationRequest request, TrainingPlan plan)
    {
        var machine = Plans.CostsOn(request.Hardware, request.ChosenRecipe);
        var costs = StepCosts.Of(plan.Schedule, plan.Workload, machine);
        var timeline = Simulator.Steady(plan.Schedule, costs.Ops.AsSpan(), machine.Links);
        double seconds = timeline.StepNanoseconds / 1e9;
        var geometry = plan.Workload.Geometry;
        double recomputed = Math.Max(0, costs.Flops - (request.Model.ModelFlops(request.Seqlen) * geometry.Rows));
        var throughput = Throughput.Of(
            request.Model,
            request.Seqlen,
            geometry.Rows,
            recomputed,
            seconds,
            request.Hardware.PeakFlopsPerSecond(request.ChosenRecipe.Activations)
        );
        return new SimulatedStep
        {
            Schedule = plan.Schedule,
            Timeline = timeline,
            Costs = costs.Ops,
            Geometry = geometry,
            Device = plan.DevicePeak,
            Host = plan.HostPeak,
            Seconds = seconds,
            SpeedOfLight = Bound(costs.CeilingSeconds, costs.Ops, machine),
            Throughput = throughput,
            Hash = plan.Hash,
            Saved = SaveCounts.Of(plan),
            Shares = new FlopShares(recomputed / costs.Flops, costs.AttentionFlops / costs.Flops),
        };
    }

    /// <summary>The published system's plan; a step is as long as that system measures it.</summary>
    /// <exception cref="UserErrorException">A machine or a model that it does not have.</exception>
    public static SimulationAnswer OfReference(SimulationRequest request, bool explain)
    {
        bool shaped = request.Pins != new GeometryPins() || request.Attention is not null;
        if (shaped || request.SaveSet is not null || request.ClipNorm is not null)
        {
            throw new UserErrorException(
                "policy reference decides the geometry, its attention and what is saved by itself, and does not clip: leave out these "
                    + "options or choose another policy"
            );
        }

        if (request.ChosenRecipe != Recipe.Bf16)
        {
            throw new UserErrorException(
                $"policy reference has bf16 only, and {request.ChosenRecipe.Name} was asked for: choose --dtype bf16 or another policy"
            );
        }

        if (request.Optimizer != Optimizer.AdamW)
        {
            throw new UserErrorException(
                $"policy reference has {Optimizer.AdamW} only, and {request.Optimizer} was asked for: choose another policy"
            );
        }

        var result = BaselinePlanner.Plan(
            new BaselineRequest(request.Model, BaselineMachine.Of(request.Hardware), request.Seqlen, request.Budget)
        );
        if (result is BaselineResult.Infeasible infeasible)
        {
            return new SimulationAnswer.Infeasible(request, infeasible.Reason);
        }

        var plan = WithBatch(((BaselineResult.Feasible)result).Plan, request.GlobalBatch);
        var machine = new CostModel(request.Hardware, DType.BFloat16);
        var (schedule, timeline, seconds) = BaselinePrediction.Of(plan, machine);
        ImmutableArray<OpCost> costs = [.. BaselineCosts.Of(plan, schedule, machine)];
        var step = new SimulatedStep
        {
            Schedule = schedule,
            Timeline = timeline,
            Costs = costs,
            Geometry = plan.Geometry,
            Device = plan.UsedDevice,
            Host = plan.UsedHost,
            Seconds = seconds,
            SpeedOfLight = Bound(BaselineCosts.CeilingSeconds(plan, schedule, machine), costs, machine),
            Throughput = plan.ThroughputAt(seconds),
            Hash = ScheduleHash.Of(schedule),
            Saved = plan.Saved,
            Shares = FlopShares.Of(plan),
        };
        return new SimulationAnswer.Feasible(
            request,
            !explain
                ? step
                : step with
                {
                    Why = step.Explained(machine.Links, rates => 1e9 * BaselinePrediction.Of(schedule, costs.AsSpan(), rates).StepSeconds),
                }
        );
    }

    private PlanExplanation Explained(LinkRates links, Func<LinkRates, double> stepNanoseconds) =>
        PlanExplanation.Of(Schedule, Timeline, Costs.AsSpan(), Geometry.TokensPerStep) with
        {
            Links = LinkNeed.Of(Costs.AsSpan(), links, stepNanoseconds),
        };

    private static BaselinePlan WithBatch(BaselinePlan plan, long? tokens)
    {
        if (tokens is not { } wanted)
        {
            return plan;
        }

        long round = (long)plan.Chunking.SequencesPerRound * plan.Request.Seqlen;
        return wanted >= round && wanted % round == 0
            ? plan with { Rounds = checked((int)(wanted / round)) }
            : throw new UserErrorException(
                $"--global-batch is {wanted} tokens, and policy reference has whole rounds of {round} tokens here; give a multiple, for "
                    + $"example {Math.Max(1, wanted / round) * round}"
            );
    }

    private static double Bound(double computeSeconds, ImmutableArray<OpCost> costs, CostModel machine)
    {
        double bound = computeSeconds;
        for (int link = 0; link < machine.Links.Links.Length; link++)
        {
            bound = Math.Max(bound, costs.Where(c => c.Link == link).Sum(c => (double)c.Bytes) / machine.Links.Links[link].Alone / 1e9);
        }

        return bound;
    }
}
