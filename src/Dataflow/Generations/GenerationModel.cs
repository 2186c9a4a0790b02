using Dataflow.Generation;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A model on a device that continues sequences, with the plan that it runs by.</summary>
internal sealed class GenerationModel : IDisposable
{
    // Steps of more tokens run no faster.
    private const int MostStepTokens = 512;

    private readonly IDevice device;
    private readonly GpuBudget? memory;

    private GenerationModel(TrainingPlan plan, int batch, IDevice device, GpuBudget? memory, CachedModel model, ModelConfig config) =>
        (Plan, Batch, this.device, this.memory, Cached, Config) = (plan, batch, device, memory, model, config);

    /// <summary>What runs.</summary>
    public TrainingPlan Plan { get; }

    /// <summary>The model's sizes.</summary>
    public ModelConfig Config { get; }

    /// <summary>The model with its cache.</summary>
    public CachedModel Cached { get; }

    /// <summary>Sequences that go on side by side at most.</summary>
    public int Batch { get; }

    /// <summary>Where it runs, for people.</summary>
    public string Device => device.Name;

    /// <summary>Makes one ready.</summary>
    /// <exception cref="UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static GenerationModel Open(GenerationOptions options, SavedModel source, Action<RunEvent> tell)
    {
        IDevice? device = null;
        GpuBudget? memory = null;
        try
        {
            var wanted = options.Plan.Completed;
            var config = source.Weights.Model;
            var has = RunMemory.Take(wanted, tell);
            var (plan, batch) = PlanFor(
                wanted.Request(config, WorkloadKind.Generation, has.Budgets.Memory), wanted.Seqlen, options.Batch, options.LogitRows);
            if (batch < options.Batch)
            {
                tell(new RunEvent.Noted([
                    $"the budgets have room for keys and values of {batch} at a time, not of {options.Batch} sequences side by side",
                ]));
            }

            _ = has.Check(plan, tell);
            memory = GpuBudget.Watch(wanted.Device, plan);
            device = wanted.Device.Create(plan);
            memory?.Check(plan);
            var model = new CachedModel(plan.Workload, plan.Schedule, device);
            model.Load(source.Weights);
            return new GenerationModel(plan, batch, device, memory, model, config);
        }
        catch
        {
            device?.Dispose();
            memory?.Dispose();
            throw;
        }
    }

    /// <summary>A plan for so many sequences, or for as many as fit.</summary>
    /// <exception cref="UserErrorException">A sequence is longer than the model's positions, or than can be kept.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets, even for one.</exception>
    public static (TrainingPlan Plan, int Batch) PlanFor(PlanRequest request, int seqlen, int batch, int logitRows)
    {
        if (seqlen > request.Model.LearnedPositions)
        {
            throw new UserErrorException(
                $"sequences are to have {seqlen:N0} tokens, and the model has learned {request.Model.LearnedPositions:N0} positions; ask "
                    + "for fewer tokens, or give a shorter prompt");
        }

        if (seqlen is < 2 or > GeometryLimits.StepTokens)
        {
            throw new UserErrorException(
                $"sequences are to have {seqlen:N0} tokens, prompt and continuation together; give 2 to {GeometryLimits.StepTokens:N0}");
        }

        for (; ; batch /= 2)
        {
            var cache = new CacheRequest(batch, seqlen, Math.Max(batch, logitRows));
            if (cache.Rows > GeometryLimits.StepTokens && batch > 1)
            {
                continue;
            }

            var result = Plans.Make(request with { Rows = null, Seqlen = Math.Min(seqlen, MostStepTokens), Cache = cache });
            if (result is PlanResult.Feasible || batch <= 1)
            {
                return (Plans.Require(result), batch);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        device.Dispose();
        memory?.Dispose();
    }
}
