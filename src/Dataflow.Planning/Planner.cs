using System.Collections.Immutable;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// From a request to a plan: geometry, residency, program, tenancy, slots, waits. Total and pure: every request has an answer, and the
/// same request has the same answer on any machine.
/// </summary>
public static class Planner
{
    private const long Granularity = 1 << 16;

    /// <summary>The first geometry, and within it the first residency, that fits both budgets.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself.</exception>
    public static PlanResult Plan(PlanRequest request)
    {
        var known = new KnownSizes(request);
        foreach (var geometry in GeometryRule.Candidates(request))
        {
            if (Find(request, geometry, request.Budget, known) is { } residency)
            {
                var workload = WorkloadOf(request, geometry);
                return new PlanResult.Feasible(Finish(request.Budget, Lower(workload, new BlockPrograms(request.Model, request.Recipe, geometry), residency)));
            }
        }

        return Explain(request, known);
    }

    /// <summary>The least device memory that works at the given host memory, if any does; and the other way round.</summary>
    public static (Bytes? Device, Bytes? Host) Smallest(PlanRequest request) => Smallest(request, new KnownSizes(request));

    private static (Bytes? Device, Bytes? Host) Smallest(PlanRequest request, KnownSizes known) => (
        SmallestWhere(d => request.Budget with { Device = d }, request, known),
        SmallestWhere(h => request.Budget with { Host = h }, request, known));

    private static PlanResult.Infeasible Explain(PlanRequest request, KnownSizes known)
    {
        var (device, host) = Smallest(request, known);
        var unlimited = new Bytes(long.MaxValue / 4);
        if (device is { } d && host is { } h)
        {
            return new PlanResult.Infeasible(
                $"{request.Budget.Device} of device memory with {request.Budget.Host} of host memory is too little: give at least {d} of device memory, or at least {h} of host memory", d, h);
        }

        if (device is { } onlyDevice)
        {
            var hostThen = SmallestWhere(x => new MemoryBudget(x, unlimited), request, known)!.Value;
            return new PlanResult.Infeasible(
                $"device memory binds: {request.Budget.Device} is too little whatever the host has; give at least {onlyDevice} of device memory", onlyDevice, hostThen);
        }

        if (host is { } onlyHost)
        {
            var deviceThen = SmallestWhere(x => new MemoryBudget(unlimited, x), request, known)!.Value;
            return new PlanResult.Infeasible(
                $"host memory binds: {request.Budget.Host} is too little whatever the device has; give at least {onlyHost} of host memory", deviceThen, onlyHost);
        }

        var least = SmallestWhere(x => new MemoryBudget(unlimited, x), request, known)!.Value;
        var leastHost = SmallestWhere(x => new MemoryBudget(x, least), request, known)!.Value;
        return new PlanResult.Infeasible(
            $"both memories are too small: give at least {least} of device memory and, with that, {leastHost} of host memory; a smaller --seqlen, --chunk or --dtype bf16 needs less", least, leastHost);
    }

    /// <summary>Bisection over one budget, between nothing and what would hold everything at once.</summary>
    private static Bytes? SmallestWhere(Func<Bytes, MemoryBudget> with, PlanRequest request, KnownSizes known)
    {
        var candidates = GeometryRule.Candidates(request);
        bool Works(long bytes) => candidates.Any(g => Find(request, g, with(new Bytes(bytes)), known) is not null);
        long high = Granularity;
        while (!Works(high))
        {
            high *= 2;
            if (high > 1L << 52)
            {
                return null;
            }
        }

        long low = high / 2;
        while (high - low > Granularity)
        {
            long middle = low + ((high - low) / 2);
            (low, high) = Works(middle) ? (low, middle) : (middle, high);
        }

        return new Bytes(high);
    }

    /// <summary>The plan of a residency that was chosen elsewhere; its memory is what it needs.</summary>
    internal static TrainingPlan PlanFor(Workload workload, Residency residency)
    {
        var found = Lower(workload, new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry), residency);
        return Finish(new MemoryBudget(found.Schedule.Arenas[1].Length, found.Schedule.Arenas[0].Length), found);
    }

    private sealed record Found(Workload Workload, Residency Residency, StepProgram Program, Schedule Schedule);

    private static Residency? Find(PlanRequest request, Geometry geometry, MemoryBudget budget, KnownSizes known) =>
        ResidencyRule.Candidates(WorkloadOf(request, geometry), request.SaveSet, r => known.Device(geometry, r) <= budget.Device)
            .FirstOrDefault(r => known.Host(geometry, r) <= budget.Host);

    private static Workload WorkloadOf(PlanRequest request, Geometry geometry) => new(request.Model, request.Recipe, geometry, request.Kind);

    /// <summary>What residencies take, computed once each: a search for the smallest budget asks for the same ones over and over.</summary>
    private sealed class KnownSizes(PlanRequest request)
    {
        private readonly Dictionary<(Geometry, Residency), Bytes> device = [];
        private readonly Dictionary<(Geometry, Residency), Bytes> host = [];

        public Bytes Device(Geometry geometry, Residency residency) =>
            Look(device, geometry, residency, (w, p) => DeviceBytes(StepLowering.Lower(w, p, residency)));

        public Bytes Host(Geometry geometry, Residency residency) =>
            Look(host, geometry, residency, (w, p) => Lower(w, p, residency).Schedule.Arenas[1].Length);

        private Bytes Look(Dictionary<(Geometry, Residency), Bytes> known, Geometry geometry, Residency residency, Func<Workload, BlockPrograms, Bytes> compute)
        {
            if (!known.TryGetValue((geometry, residency), out var bytes))
            {
                known[(geometry, residency)] = bytes = compute(WorkloadOf(request, geometry), new BlockPrograms(request.Model, request.Recipe, geometry));
            }

            return bytes;
        }
    }

    private static Found Lower(Workload workload, BlockPrograms programs, Residency residency)
    {
        var program = StepLowering.Lower(workload, programs, residency);
        return new Found(workload, residency, program, SlotAssignment.Assign(program, Tenancy.Settle(program), Facts(workload)));
    }

    private static Bytes DeviceBytes(StepProgram program) =>
        program.Pools.Aggregate(Bytes.Zero, (sum, p) => sum + (p.SlotLength * p.SlotCount));

    private static TrainingPlan Finish(MemoryBudget budget, Found found)
    {
        var schedule = WaitInference.Infer(found.Schedule);
        var pools = found.Program.Pools.Select(p => new PoolSizing(p.Name, p.SlotLength, p.SlotCount)).ToImmutableArray();
        return new TrainingPlan(found.Workload, budget, found.Residency, pools, schedule, ScheduleHash.Of(schedule));
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
        ];
    }
}
