using System.Globalization;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Loss and gradients of a model's own tokens, for comparison with other programs.</summary>
public static class Gradients
{
    /// <summary>
    /// One forward and backward pass over the tokens.bin of a model's folder. Gradients are written as safetensors under the weights'
    /// names, the loss as metadata. The plan is by the simple rules, since speed is not the question.
    /// </summary>
    /// <param name="options">Model, length, budgets and device.</param>
    /// <param name="output">The file to write.</param>
    /// <param name="tell">Told what is to be known.</param>
    /// <returns>The loss: the mean over counted targets, in nats.</returns>
    /// <exception cref="UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static double Write(PlanOptions options, string output, Action<RunEvent> tell)
    {
        using var source = ModelSource.Open(options.Model).Trained(options);
        tell(new RunEvent.Opened(source.Notes));
        options = options.Completed;
        var where = options.Device;
        var has = RunMemory.Take(options, tell);
        string path = source.Tokens
            ?? throw new UserErrorException($"{options.Model} holds no tokens.bin to compute gradients on; give a folder that does");
        using var tokens = TokenFile.Open(path, options.Seqlen, source.Model.VocabSize);
        tell(new RunEvent.Opened([.. source.NotesOf(options.Seqlen), .. DataNotes.Of(tokens, path, source)]));
        var weights = source.Weights(seed: 0, note => tell(new RunEvent.Noted([note])));
        var type = options.Recipe.Gradients;
        CheckpointWriter.CheckWritable(output, source.Model, type);

        var asked = options.Running(tokens.Documents(0) is not null);
        var request = asked.Request(source.Model, WorkloadKind.Gradients, has.Budgets.Memory) with { Rows = tokens.RowCount };
        var plan = Plans.Require(Plans.Make(request));
        _ = has.Check(plan, tell);
        using var memory = GpuBudget.Watch(where, plan);
        using var device = where.Create(plan);
        memory?.Check(plan);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        var report = trainer.Step(tokens, [.. Enumerable.Range(0, tokens.RowCount)], default);
        var metadata = new Dictionary<string, string> { ["loss"] = report.Loss.ToString("G17", CultureInfo.InvariantCulture) };
        CheckpointWriter.Write(output, trainer.Gradients, type, metadata);
        return report.Loss;
    }
}
