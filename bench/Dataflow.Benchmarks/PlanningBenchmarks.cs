using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Reports;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow.Benchmarks;

/// <summary>The stages of planning one by one, in the order in which they run, and the whole.</summary>
public class PlanningBenchmarks
{
    private PlanRequest request = null!;
    private Workload workload = null!;
    private BlockPrograms programs = null!;
    private Residency residency = null!;
    private StepProgram program = null!;
    private TenancyResult tenancy = null!;
    private Schedule withoutWaits = null!;
    private Schedule schedule = null!;

    /// <summary>What is planned.</summary>
    public static IEnumerable<PlanCase> Cases => PlanCase.WithManyChunks;

    /// <summary>What is planned now.</summary>
    [ParamsSource(nameof(Cases))]
    public PlanCase Case { get; set; } = null!;

    /// <summary>Every stage's input.</summary>
    [GlobalSetup]
    public void Setup()
    {
        request = Case.Request();
        (workload, programs, residency) = new PlanCandidates(request).Best(request.Budget)!.Value;
        program = StepLowering.Lower(workload, programs, residency);
        tenancy = Tenancy.Settle(program);
        withoutWaits = SlotAssignment.Assign(program, tenancy, []);
        schedule = WaitInference.Infer(withoutWaits);
    }

    /// <summary>Candidates, and the first that fits.</summary>
    [Benchmark]
    public object Search() => new PlanCandidates(request).Best(request.Budget)!;

    /// <summary>The computation in program order.</summary>
    [Benchmark]
    public object Lowering() => StepLowering.Lower(workload, programs, residency);

    /// <summary>Who is in which slot when.</summary>
    [Benchmark]
    public object TenancySettles() => Tenancy.Settle(program);

    /// <summary>Offsets and copies.</summary>
    [Benchmark]
    public object Slots() => SlotAssignment.Assign(program, tenancy, []);

    /// <summary>Waits from accesses.</summary>
    [Benchmark]
    public object Waits() => WaitInference.Infer(withoutWaits);

    /// <summary>The proof.</summary>
    [Benchmark]
    public object Verify() => ScheduleVerifier.Verify(schedule);

    /// <summary>The text form.</summary>
    [Benchmark]
    public object Print() => ScheduleText.Print(schedule);

    /// <summary>The plan's identity.</summary>
    [Benchmark]
    public object Hash() => ScheduleHash.Of(schedule);

    /// <summary>Everything that Planner.Plan does: all of the above but Verify and Print.</summary>
    [Benchmark]
    public object Plan() => Planner.Plan(request);

    /// <summary>The table, in the order of cases, then stages.</summary>
    internal static Result Result(Summary summary)
    {
        var plans = PlanCase.WithManyChunks.ToDictionary(
            c => c,
            c => new Lazy<TrainingPlan>(() => ((PlanResult.Feasible)Planner.Plan(c.Request())).Plan)
        );
        return new Result(
            "Planning, stage by stage",
            "One thread. Mean and standard deviation; ops are those of the planned step; bytes are what is allocated on the managed heap. "
                + "Plan is all stages but Verify and Print.",
            ["case", "plan", "ops", "stage", "mean", "deviation", "ops/s", "allocated", "bytes/op"],
            [.. Measured.Of(summary, Cases).Select(m => Row((PlanCase)m.Case, m, plans[(PlanCase)m.Case].Value))]);
    }

    private static (string[], System.Text.Json.Nodes.JsonObject) Row(PlanCase plan, Measured m, TrainingPlan made)
    {
        int ops = made.Schedule.Ops.Length;
        double rate = ops / (m.Mean * 1e-9);
        string[] cells =
        [
            plan.ToString(),
            made.Hash[..16],
            $"{ops}",
            m.Method,
            Benchmarks.Result.Duration(m.Mean),
            Benchmarks.Result.Duration(m.Deviation),
            $"{rate:N0}",
            new Bytes(m.Allocated).ToString(),
            $"{m.Allocated / ops}",
        ];
        return (cells, m.ToJson(plan.ToString(), ("plan_hash", made.Hash), ("ops", ops), ("ops_per_second", rate)));
    }
}
