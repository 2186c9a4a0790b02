using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Planning.Reference;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Cli;

/// <summary>What a request would do on its machine.</summary>
internal abstract record SimulationAnswer(SimulationRequest Request)
{
    /// <summary>It does not fit, and why.</summary>
    internal sealed record Infeasible(SimulationRequest Request, string Reason) : SimulationAnswer(Request);

    /// <summary>It fits.</summary>
    internal sealed record Feasible(SimulationRequest Request, SimulatedStep Step) : SimulationAnswer(Request);

    /// <summary>Plans, lowers and simulates.</summary>
    public static SimulationAnswer Of(SimulationRequest request)
    {
        try
        {
            return request.Policy == PlanPolicy.Reference ? SimulatedStep.OfReference(request) : SimulatedStep.OfSimple(request);
        }
        catch (OverflowException)
        {
            throw new UserErrorException("seqlen and step of this size take more memory than can be counted; give smaller ones");
        }
    }
}

/// <summary>A simulated step and what it says.</summary>
/// <param name="Device">Bytes of device memory that the plan takes, reserve included.</param>
/// <param name="SpeedOfLight">Seconds that no order of the same work could beat: kernels at their ceilings, copies at the link's rate, all side by side.</param>
internal sealed record SimulatedStep(
    Schedule Schedule, Timeline Timeline, ImmutableArray<OpCost> Costs, Geometry Geometry, Bytes Device, Bytes Host, double Seconds, double SpeedOfLight, Throughput Throughput)
{
    /// <summary>The plan's hash.</summary>
    public string Hash => ScheduleHash.Of(Schedule);

    /// <summary>The planner's own plan, in the steady state of its steps.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself.</exception>
    public static SimulationAnswer OfSimple(SimulationRequest request)
    {
        var settings = new PlanSettings(
            request.ModelPath, request.Seqlen, request.Budget.Device, request.Budget.Host, request.ChosenRecipe, request.GlobalBatch, new GeometryPins(), null, request.Hardware);
        var result = Planner.Plan(settings.Request(request.Model, WorkloadKind.Training, request.Budget));
        if (result is PlanResult.Infeasible infeasible)
        {
            return new SimulationAnswer.Infeasible(request, infeasible.Reason);
        }

        var plan = ((PlanResult.Feasible)result).Plan;
        var machine = new CostModel(request.Hardware, request.ChosenRecipe.Parameters);
        var costs = OpCosts.Of(plan.Schedule, plan.Workload, machine);
        var timeline = Simulator.Steady(plan.Schedule, costs, machine.Links);
        double seconds = timeline.StepNanoseconds / 1e9;
        var geometry = plan.Workload.Geometry;
        var work = new OpWork(plan.Workload);
        double flops = 0, ceiling = 0;
        foreach (var op in plan.Schedule.Ops)
        {
            foreach (var run in work.Of(op))
            {
                flops += run.Times * run.Work.Flops;
                ceiling += run.Times * machine.CeilingSeconds(run.Work);
            }
        }

        double model = request.Model.ModelFlops(request.Seqlen) * geometry.Rows;
        var throughput = Throughput.Of(
            request.Model, request.Seqlen, geometry.Rows, Math.Max(0, flops - model), seconds, request.Hardware.PeakFlopsPerSecond(request.ChosenRecipe.Parameters));
        return new SimulationAnswer.Feasible(request, new SimulatedStep(
            plan.Schedule, timeline, [.. costs], geometry, plan.DevicePeak, plan.HostPeak, seconds, Bound(ceiling, costs, machine), throughput));
    }

    /// <summary>The published system's plan; a step is as long as that system measures it.</summary>
    /// <exception cref="UserErrorException">A machine or a model that it does not have.</exception>
    public static SimulationAnswer OfReference(SimulationRequest request)
    {
        if (request.ChosenRecipe != Recipe.Bf16)
        {
            throw new UserErrorException($"policy reference has bf16 only, and {request.ChosenRecipe.Name} was asked for: choose --dtype bf16 or another policy");
        }

        var result = ReferencePlanner.Plan(new ReferenceRequest(request.Model, ReferenceMachine.Of(request.Hardware), request.Seqlen, request.Budget));
        if (result is ReferenceResult.Infeasible infeasible)
        {
            return new SimulationAnswer.Infeasible(request, infeasible.Reason);
        }

        var plan = WithBatch(((ReferenceResult.Feasible)result).Plan, request.GlobalBatch);
        var machine = new CostModel(request.Hardware, DType.BFloat16);
        var (schedule, timeline, seconds) = ReferencePrediction.Of(plan, machine);
        var costs = ReferenceCosts.Of(plan, schedule, machine);
        double bound = Bound(ReferenceCosts.CeilingSeconds(plan, schedule, machine), costs, machine);
        return new SimulationAnswer.Feasible(request, new SimulatedStep(
            schedule, timeline, [.. costs], plan.Geometry, plan.UsedDevice, plan.UsedHost, seconds, bound, plan.ThroughputAt(seconds)));
    }

    private static ReferencePlan WithBatch(ReferencePlan plan, long? tokens)
    {
        if (tokens is not { } wanted)
        {
            return plan;
        }

        long round = (long)plan.Chunking.SequencesPerRound * plan.Request.Seqlen;
        return wanted >= round && wanted % round == 0
            ? plan with { Rounds = checked((int)(wanted / round)) }
            : throw new UserErrorException(
                $"--global-batch is {wanted} tokens, and policy reference has whole rounds of {round} tokens here; give a multiple, for example {Math.Max(1, wanted / round) * round}");
    }

    private static double Bound(double computeSeconds, OpCost[] costs, CostModel machine)
    {
        double bound = computeSeconds;
        for (int link = 0; link < machine.Links.Links.Length; link++)
        {
            bound = Math.Max(bound, costs.Where(c => c.Link == link).Sum(c => (double)c.Bytes) / machine.Links.Links[link].Alone / 1e9);
        }

        return bound;
    }
}
