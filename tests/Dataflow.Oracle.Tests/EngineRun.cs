using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Oracle.Tests;

/// <summary>What the engine makes of a case: planned, verified, run.</summary>
/// <param name="Losses">Before each step.</param>
/// <param name="FirstNorm">Of the first step's gradients, where they are clipped.</param>
/// <param name="Gradients">Of the first step.</param>
/// <param name="Trained">Weights after the last step: the masters where there are some.</param>
internal sealed record EngineRun(
    double[] Losses,
    double? FirstNorm,
    IReadOnlyDictionary<string, double[]> Gradients,
    IReadOnlyDictionary<string, double[]> Trained
)
{
    /// <summary>Runs a case in one recipe.</summary>
    public static EngineRun Of(OracleCase one, Recipe recipe, Func<Schedule, Workload, IDevice> open)
    {
        var kind = one.ClipNorm is null ? WorkloadKind.Training : WorkloadKind.ClippedTraining;
        var (_, gradients) = Run(one, Plan(one, recipe, WorkloadKind.Gradients), open, 1);
        var (reports, trained) = Run(one, Plan(one, recipe, kind), open, OracleCase.Steps);
        return new EngineRun([.. reports.Select(r => r.Loss)], reports[0].GradientNorm, gradients, trained);
    }

    private static TrainingPlan Plan(OracleCase one, Recipe recipe, WorkloadKind kind)
    {
        var request = one.Request(recipe, kind);
        long most = GoldenCase.Plan(request).DevicePeak.Value, least = Planner.Smallest(request).Device!.Value.Value;
        long device = least + (long)(one.Share * Math.Max(0, most - least));
        var plan = GoldenCase.Plan(request with { Budget = request.Budget with { Device = new Bytes(device) } });
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, [plan.Budget.Device, plan.Budget.Host]));
        return plan;
    }

    private static (StepReport[] Reports, Dictionary<string, double[]> Tensors) Run(
        OracleCase one, TrainingPlan plan, Func<Schedule, Workload, IDevice> open, int steps)
    {
        using var device = open(plan.Schedule, plan.Workload);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(new CaseWeights(one.Model, one.Weights));
        var rows = new CaseRows(one.Rows, one.DividesByWeights);
        var a = plan.Workload.Recipe == Recipe.Fp32 ? one.AdamW : one.AdamWInBf16;
        var settings = new OptimizerSettings((float)a.Rate, (float)a.Beta1, (float)a.Beta2, (float)a.Epsilon, (float)a.Decay);
        var reports = new StepReport[steps];
        for (int step = 0; step < steps; step++)
        {
            int[] numbers = [.. Enumerable.Range(step * one.RowsPerStep, one.RowsPerStep)];
            reports[step] = trainer.Step(rows, numbers, settings, (float)(one.ClipNorm ?? double.PositiveInfinity));
        }

        var results = plan.Workload.Kind == WorkloadKind.Gradients ? trainer.Gradients : trainer.MasterWeights ?? trainer.Weights;
        return (reports, GoldenCase.Tensors(results).ToDictionary(t => t.Key, t => Array.ConvertAll(t.Value, x => (double)x)));
    }
}
