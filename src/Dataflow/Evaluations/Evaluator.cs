using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A model that scores rows, within its budgets: forward steps alone, whose chunks hold no more than a row.</summary>
internal sealed class Evaluator : IDisposable
{
    // A chunk is a whole part of a row, and no larger than that: what a chunk takes grows with it.
    private const int MostChunk = 2048;

    private readonly ModelSource source;
    private readonly IDevice device;
    private readonly GpuBudget? memory;
    private readonly Trainer trainer;
    private readonly TrainingPlan plan;
    private readonly List<ScoredRow> waiting = [];
    private readonly List<Action<double>> takers = [];

    private Evaluator(ModelSource source, TrainingPlan plan, IDevice device, GpuBudget? memory, Trainer trainer) =>
        (this.source, this.plan, this.device, this.memory, this.trainer) = (source, plan, device, memory, trainer);

    /// <summary>The model.</summary>
    public ModelSource Source => source;

    /// <summary>Tokens of a row that are inputs.</summary>
    public int Seqlen => plan.Workload.Geometry.Seqlen;

    /// <summary>Makes one ready.</summary>
    /// <exception cref="UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static Evaluator Open(PlanOptions options, Action<RunEvent> tell)
    {
        var source = ModelSource.Open(options.Model).With(options.Adapter).Storing(options.Base);
        IDevice? device = null;
        GpuBudget? memory = null;
        try
        {
            tell(new RunEvent.Opened(source.Notes));
            options = options.Completed;
            options = options.Running(isPacked: false) with { Chunk = options.Chunk ?? ChunkOf(options.Seqlen) };
            var has = RunMemory.Take(options, tell);
            var weights = source.Weights(seed: 0, note => tell(new RunEvent.Noted([note])));
            var plan = Plan(options.Request(source.Model, WorkloadKind.Evaluation, has.Budgets.Memory));
            _ = has.Check(plan, tell);
            memory = GpuBudget.Watch(options.Device, plan);
            device = options.Device.Create(plan);
            memory?.Check(plan);
            var trainer = new Trainer(plan.Workload, plan.Schedule, device, new Executor(plan.Schedule, device));
            trainer.Load(weights);
            tell(new RunEvent.Noted([.. source.NotesOf(options.Seqlen)]));
            return new Evaluator(source, plan, device, memory, trainer);
        }
        catch
        {
            device?.Dispose();
            memory?.Dispose();
            source.Dispose();
            throw;
        }
    }

    /// <summary>Scores a row, at once or with others.</summary>
    /// <param name="row">The row.</param>
    /// <param name="take">Told the sum of its scored tokens' losses, in nats.</param>
    public void Score(ScoredRow row, Action<double> take)
    {
        if (row.Scored == 0)
        {
            take(0);
            return;
        }

        waiting.Add(row);
        takers.Add(take);
        if (waiting.Count == plan.Workload.Geometry.Rows)
        {
            Finish();
        }
    }

    /// <summary>Scores what waits for others.</summary>
    public void Finish()
    {
        if (waiting.Count == 0)
        {
            return;
        }

        double[] sums = new double[waiting.Count];
        trainer.EvaluateRows(new CheckedRows(new ScoredRows(waiting, Seqlen), source.Model.VocabSize), sums);
        Action<double>[] told = [.. takers];
        waiting.Clear();
        takers.Clear();
        for (int i = 0; i < told.Length; i++)
        {
            told[i](sums[i]);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        device.Dispose();
        memory?.Dispose();
        source.Dispose();
    }

    // Rows that are taken together pass a layer's parameters once, and wait in memory for each other: as many as fit, of what a step of
    // training would have.
    private static TrainingPlan Plan(PlanRequest request)
    {
        for (int rows = request.Rows ?? 1; ; rows /= 2)
        {
            var result = Plans.Make(request with { Rows = rows });
            if (result is PlanResult.Feasible || rows <= 1)
            {
                return Plans.Require(result);
            }
        }
    }

    private static int ChunkOf(int seqlen)
    {
        int chunk = Math.Min(seqlen, MostChunk);
        while (seqlen % chunk != 0)
        {
            chunk--;
        }

        return chunk;
    }
}
