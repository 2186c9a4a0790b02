using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Reports;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Benchmarks;

/// <summary>The simulator on the plans of the planning benchmarks, on an H200.</summary>
public class SimulationBenchmarks
{
    private static readonly HardwareProfile Hardware = HardwareFiles.Load("h200");
    private readonly CostModel machine = new(Hardware, DType.BFloat16);
    private Workload workload = null!;
    private Schedule schedule = null!;
    private OpCost[] costs = null!;

    /// <summary>What is simulated.</summary>
    public static IEnumerable<PlanCase> Cases => PlanCase.WithManyChunks;

    /// <summary>What is simulated now.</summary>
    [ParamsSource(nameof(Cases))]
    public PlanCase Case { get; set; } = null!;

    /// <summary>Plans.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var plan = ((PlanResult.Feasible)Planner.Plan(Case.Request())).Plan;
        (workload, schedule) = (plan.Workload, plan.Schedule);
        costs = OpCosts.Of(schedule, workload, machine);
    }

    /// <summary>What every op takes.</summary>
    [Benchmark]
    public object Costs() => OpCosts.Of(schedule, workload, machine);

    /// <summary>One step.</summary>
    [Benchmark]
    public object Alone() => Simulator.Alone(schedule, costs, machine.Links);

    /// <summary>Four steps, of which the third is looked at.</summary>
    [Benchmark]
    public object Steady() => Simulator.Steady(schedule, costs, machine.Links);

    /// <summary>The table, in the order of cases, then parts.</summary>
    internal static Result Result(Summary summary)
    {
        var ops = PlanCase.WithManyChunks.ToDictionary(
            c => c,
            c => new Lazy<int>(() => ((PlanResult.Feasible)Planner.Plan(c.Request())).Plan.Schedule.Ops.Length)
        );
        return new Result(
            "Simulation",
            "One thread. Ops are those that are simulated: of one step, or of four where the steady state is; bytes are what is allocated "
                + "on the managed heap.",
            ["case", "ops", "part", "mean", "deviation", "ops/s", "allocated"],
            [
                .. Measured
                    .Of(summary, Cases)
                    .Select(m => Row((PlanCase)m.Case, m, ops[(PlanCase)m.Case].Value * (m.Method == nameof(Steady) ? 4 : 1))),
            ]
        );
    }

    private static (string[], System.Text.Json.Nodes.JsonObject) Row(PlanCase plan, Measured m, int ops)
    {
        double rate = ops / (m.Mean * 1e-9);
        string[] cells =
        [
            plan.ToString(),
            $"{ops}",
            m.Method,
            Benchmarks.Result.Duration(m.Mean),
            Benchmarks.Result.Duration(m.Deviation),
            $"{rate:N0}",
            new Bytes(m.Allocated).ToString(),
        ];
        return (cells, m.ToJson(plan.ToString(), ("ops", ops), ("ops_per_second", rate)));
    }
}
