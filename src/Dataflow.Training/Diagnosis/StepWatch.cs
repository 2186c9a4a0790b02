using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>Numbers of a step, of one group of weights.</summary>
/// <param name="Group">"embedding", "layer 3" (from 0), "head".</param>
/// <param name="GradientNorm">Of its gradients, before clipping.</param>
/// <param name="UpdateRatio">
/// The norm of what the update changed over the norm of the weights before it: about 1e-3 where training goes well. 0 where nothing is
/// trained.
/// </param>
public readonly record struct GroupNumbers(string Group, double GradientNorm, double UpdateRatio);

/// <summary>
/// Watches steps of a workload that clips: what the gradients' norm is made of, exactly, and how large updates are beside the weights,
/// from <see cref="SampledElements"/>. Of a recipe with master weights, these. They are read before and after the step, so no other step
/// takes any longer.
/// </summary>
public sealed class StepWatch
{
    private readonly Trainer trainer;
    private readonly List<Run> runs = [];
    private readonly float[] before;
    private readonly float[] after = new float[SampledElements.RunLength];

    /// <summary>Chooses what is looked at.</summary>
    /// <param name="trainer">Whose steps are watched.</param>
    public StepWatch(Trainer trainer)
    {
        this.trainer = trainer;
        foreach (var weights in ParameterObject.All(trainer.Weights.Model))
        {
            foreach (var tensor in weights.Layout(trainer.Weights.Model).Tensors.Where(t => t.Spec.IsTrained))
            {
                runs.AddRange(SampledElements.Of(tensor).Select(r => new Run(
                    SampledElements.GroupOf(weights), weights, tensor.ElementOffset + r.First, r.Count, r.Share)));
            }
        }

        before = new float[runs.Sum(r => r.Count)];
    }

    /// <summary>The host memory that it takes, beside a run's budgets.</summary>
    public Bytes Memory => new((long)before.Length * sizeof(float));

    /// <summary>Just before the step.</summary>
    public void Before()
    {
        int at = 0;
        foreach (var run in runs)
        {
            Read(run, before.AsSpan(at, run.Count));
            at += run.Count;
        }
    }

    /// <summary>Just after it.</summary>
    /// <returns>The numbers of the embedding, of each layer and of the head, in this order.</returns>
    public IReadOnlyList<GroupNumbers> After()
    {
        var changes = new Dictionary<string, (double Changed, double Weight)>();
        int at = 0;
        foreach (var run in runs)
        {
            var now = after.AsSpan(0, run.Count);
            Read(run, now);
            double changed = 0, weight = 0;
            for (int i = 0; i < now.Length; i++)
            {
                double was = before[at + i], by = now[i] - was;
                changed += by * by;
                weight += was * was;
            }

            var sum = changes.GetValueOrDefault(run.Group);
            changes[run.Group] = (sum.Changed + (changed * run.Share), sum.Weight + (weight * run.Share));
            at += run.Count;
        }

        var squares = trainer
            .GradientSquares.GroupBy(s => SampledElements.GroupOf(s.Owner))
            .ToDictionary(g => g.Key, g => g.Sum(s => s.Square));
        return
        [
            .. ParameterObject
                .All(trainer.Weights.Model)
                .Select(SampledElements.GroupOf)
                .Select(group => new GroupNumbers(
                    group,
                    Math.Sqrt(squares.GetValueOrDefault(group)),
                    changes.TryGetValue(group, out var c) && c.Weight > 0 ? Math.Sqrt(c.Changed / c.Weight) : 0
                )),
        ];
    }

    private void Read(in Run run, Span<float> into) =>
        (trainer.MasterWeights ?? trainer.Weights).Read(run.Weights, run.First, MemoryMarshal.AsBytes(into), DType.Float32);

    private readonly record struct Run(string Group, ParameterObject Weights, long First, int Count, double Share);
}
