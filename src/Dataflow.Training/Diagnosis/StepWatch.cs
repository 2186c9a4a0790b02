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
/// from elements that are spread evenly over each tensor, the same ones every time: all of a tensor of up to 8,192, that many of others.
/// Of a recipe with master weights, these. They are read before and after the step, so no other step takes any longer.
/// </summary>
public sealed class StepWatch
{
    private const int RunLength = 512;
    private const int MostRuns = 16;
    private readonly Trainer trainer;
    private readonly List<Run> runs = [];
    private readonly float[] before;
    private readonly float[] after = new float[RunLength];

    /// <summary>Chooses what is looked at.</summary>
    /// <param name="trainer">Whose steps are watched.</param>
    public StepWatch(Trainer trainer)
    {
        this.trainer = trainer;
        foreach (var weights in ParameterObject.All(trainer.Weights.Model))
        {
            foreach (var tensor in weights.Layout(trainer.Weights.Model).Tensors.Where(t => t.Spec.IsTrained))
            {
                runs.AddRange(RunsOf(weights, tensor));
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

        var squares = trainer.GradientSquares.GroupBy(s => NameOf(s.Owner)).ToDictionary(g => g.Key, g => g.Sum(s => s.Square));
        return
        [
            .. ParameterObject
                .All(trainer.Weights.Model)
                .Select(NameOf)
                .Select(group => new GroupNumbers(
                    group,
                    Math.Sqrt(squares.GetValueOrDefault(group)),
                    changes.TryGetValue(group, out var c) && c.Weight > 0 ? Math.Sqrt(c.Changed / c.Weight) : 0
                )),
        ];
    }

    private void Read(in Run run, Span<float> into) =>
        (trainer.MasterWeights ?? trainer.Weights).Read(run.Weights, run.First, MemoryMarshal.AsBytes(into), DType.Float32);

    private static IEnumerable<Run> RunsOf(ParameterObject weights, WeightTensor tensor)
    {
        int count = (int)Math.Min(MostRuns, (tensor.Count + RunLength - 1) / RunLength);
        int length = (int)Math.Min(RunLength, tensor.Count);
        double share = (double)tensor.Count / Math.Min(tensor.Count, (long)count * length);
        for (int i = 0; i < count; i++)
        {
            // All of a small tensor, one run after the other; the first and the last elements of a large one, and those between.
            long first = tensor.Count <= MostRuns * RunLength ? (long)i * RunLength : (tensor.Count - length) * i / (MostRuns - 1);
            yield return new Run(
                NameOf(weights), weights, tensor.ElementOffset + first, (int)Math.Min(length, tensor.Count - first), share);
        }
    }

    private static string NameOf(ParameterObject weights) =>
        weights.Kind == ParameterObjectKind.Block ? $"layer {weights.Layer.Index}" : weights.ToString();

    private static string NameOf(ParameterOwner owner) =>
        NameOf(owner.Layer is { } layer ? ParameterObject.Block(layer) : owner.IsHead ? ParameterObject.Head : ParameterObject.Embedding);

    private readonly record struct Run(string Group, ParameterObject Weights, long First, int Count, double Share);
}
