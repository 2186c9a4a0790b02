using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>From settings to trained weights: the one place where model, data, plan, device and trainer meet.</summary>
internal static class TrainingRun
{
    /// <summary>Trains. Everything that can be refused is refused before the first step.</summary>
    /// <exception cref="UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static ExitCode Execute(TrainingSettings settings)
    {
        using var source = ModelSource.Open(settings.Plan.ModelPath);
        var model = source.Model;
        var recipe = settings.Plan.Recipe;
        var resumed = settings.Resume is { } saved ? TrainingCheckpoint.Newest(saved) : default;
        settings = Resumption.Continue(settings, resumed.Progress);
        var budgets = Budgets.Choose(settings.Plan);
        var machine = MachineMemory.Read();
        var gpu = settings.Device.Gpu?.Memory;
        budgets.CheckAgainst(machine, gpu);
        using var data = TrainingData.Open(settings, source);
        using var held = TrainingData.OpenValidation(settings, source);
        var weights = source.Weights(settings.Seed);
        var question = new PlanQuestion(settings.Plan, model, budgets.Memory, settings.Policy, data.Tokens.RowCount, settings.Resume is not null);
        var result = Plans.Make(question);
        var report = TrainingReport.To(Console.Out, settings.Json);
        report.Planned(question.Request, result, budgets, settings.Policy, PlanNotes.Of(question, result));
        var plan = Plans.Require(result);
        Resumption.Check(resumed.Progress, plan.Workload.Geometry);
        Budgets.CheckArenas(plan, machine, gpu);
        if (settings.Export is { } folder)
        {
            CheckpointWriter.PrepareFolder(folder, model, recipe.Parameters);
        }

        if (settings.Checkpoint is var (checkpoints, _))
        {
            TrainingCheckpoint.Prepare(checkpoints, resumed.Folder is null ? 0 : resumed.Progress.Step);
        }

        using var memory = GpuBudget.Watch(settings.Device, plan);
        using var device = settings.Device.Create(plan);
        memory?.Check(plan);
        using var validation = Validation.Open(settings, held, plan, device);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device, validation?.Executor, settings.Seed);
        report.Starting(device.Name, data.Description, resumed.Folder ?? source.Folder ?? $"initial values from seed {settings.Seed}");
        var prediction = Prediction.For(plan, settings.Device, settings.Plan.Hardware, settings.Policy.Remembers);
        report.Predicted(prediction);
        report.Noted([.. source.TrainingNotes, .. source.NotesOf(settings.Plan.Seqlen), .. data.NotesOf(plan.Workload.Geometry), .. held?.Notes ?? []]);
        report.Validating(validation?.Describe(prediction));
        var progress = new TrainingProgress(0, settings.Seed, recipe.Name, plan.Workload.Geometry);
        Startup.Show("loading the weights", () =>
        {
            if (resumed.Folder is { } folder)
            {
                TrainingCheckpoint.Load(folder, trainer, resumed.Progress);
            }
            else
            {
                trainer.Load(weights);
            }

            return 0;
        });

        using var trace = StepTrace.Open(settings, device, plan.Schedule, trainer.StepsDone + 1);
        using var interruption = new Interruption();
        var summary = Steps(settings, plan, trainer, data.Tokens, validation, trace, prediction, report, interruption);
        if (trace is { Count: > 0 })
        {
            trace.Write($"{Path.GetFileNameWithoutExtension(settings.Plan.ModelPath)}, sequences of {plan.Workload.Geometry.Seqlen:N0}: {plan.Budget.Device} of device memory, {plan.Budget.Host} of host memory", prediction);
            summary = summary with { Trace = settings.Trace, Page = settings.Page };
        }

        Resumption.Save(settings, trainer, progress, recipe);
        if (settings.Export is not null)
        {
            CheckpointWriter.WriteFolder(settings.Export, trainer.Weights, recipe.Parameters);
            summary = summary with { Exported = settings.Export };
        }

        report.Finished(summary with { DeviceTaken = memory?.Used });
        memory?.Check(plan);
        return interruption.Asked ? ExitCode.Interrupted : ExitCode.Ok;
    }

    private static RunSummary Steps(
        TrainingSettings settings, TrainingPlan plan, Trainer trainer, ITokenSource tokens, Validation? validation, StepTrace? trace, Prediction? prediction, TrainingReport report, Interruption interruption)
    {
        var geometry = plan.Workload.Geometry;
        double flops = plan.Workload.Model.ModelFlops(geometry.Seqlen) * geometry.Rows;
        var order = new BatchOrder(tokens.RowCount, geometry.Rows, settings.Seed);
        int[] rows = new int[geometry.Rows];
        var summary = new RunSummary(plan, 0, 0, 0, 0, 0, 0, null);
        int first = trainer.StepsDone;
        var seconds = new List<double>();
        for (int step = first; step < settings.Steps && !interruption.Asked; step++)
        {
            for (int i = 0; i < rows.Length; i++)
            {
                rows[i] = order.RowAt(((long)step * rows.Length) + i);
            }

            trace?.Before(step + 1);
            if (settings.Profiled?.First == step + 1)
            {
                CudaContext.StartProfiler();
            }

            var done = trainer.Step(tokens, rows, settings.Optimizer, settings.ClipNorm ?? float.PositiveInfinity);
            if (settings.Profiled?.Last == done.Step)
            {
                CudaContext.StopProfiler();
            }

            trace?.After(done.Step);
            report.Stepped(new StepLine(done, settings.Steps, flops, settings.Optimizer.LearningRate, validation?.After(done.Step, settings.Steps, trainer, () => interruption.Asked), prediction?.Seconds));
            seconds.Add(done.Duration.TotalSeconds);
            summary = summary with
            {
                Steps = done.Step,
                FirstLoss = step == first ? done.Loss : summary.FirstLoss,
                LastLoss = done.Loss,
                Tokens = summary.Tokens + done.Tokens,
                Seconds = summary.Seconds + done.Duration.TotalSeconds,
                Flops = summary.Flops + flops,
            };
            if (settings.Checkpoint is (_, > 0 and var every) && done.Step % every == 0 && done.Step < settings.Steps)
            {
                Resumption.Save(settings, trainer, new TrainingProgress(0, settings.Seed, plan.Workload.Recipe.Name, geometry), plan.Workload.Recipe);
            }
        }

        return summary with { Predicted = prediction, MeasuredSeconds = RunSummary.TypicalStep(seconds) };
    }
}
