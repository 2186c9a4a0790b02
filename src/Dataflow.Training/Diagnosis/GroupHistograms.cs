using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Training;

/// <summary>How the values of a group of weights are spread after a step.</summary>
/// <param name="Group">"embedding", "layer 3" (from 0), "head".</param>
/// <param name="Weights">What is trained of it, after the step; of a recipe with master weights, these.</param>
/// <param name="Gradients">The step's, before clipping.</param>
public readonly record struct GroupValues(string Group, ValueHistogram Weights, ValueHistogram Gradients);

/// <summary>
/// How weights and gradients of a step are spread, by group of weights, from <see cref="SampledElements"/>. Gradients are looked at when
/// their norm is known, so the workload must be one that clips.
/// </summary>
public sealed class GroupHistograms
{
    private readonly Trainer trainer;
    private readonly IInspectableDevice device;
    private readonly SortedDictionary<string, ValueHistogram> gradients = [];
    private readonly Lock gate = new();
    private readonly float[] values = new float[SampledElements.RunLength];
    private readonly byte[] stored = new byte[SampledElements.RunLength * sizeof(float)];
    private IDisposable? looking;

    /// <param name="trainer">Whose steps are looked at.</param>
    /// <param name="device">What runs them.</param>
    public GroupHistograms(Trainer trainer, IInspectableDevice device) => (this.trainer, this.device) = (trainer, device);

    /// <summary>Just before the step.</summary>
    public void Before()
    {
        gradients.Clear();
        looking = device.Inspect(_ => { }, Look);
    }

    /// <summary>Just after it.</summary>
    /// <returns>Of the embedding, of each layer and of the head what is trained, in this order.</returns>
    public IReadOnlyList<GroupValues> After()
    {
        looking?.Dispose();
        looking = null;
        var groups = new List<GroupValues>();
        foreach (var weights in ParameterObject.All(trainer.Weights.Model))
        {
            var spread = new ValueHistogram();
            foreach (var tensor in weights.Layout(trainer.Weights.Model).Tensors.Where(t => t.Spec.IsTrained))
            {
                foreach (var run in SampledElements.Of(tensor))
                {
                    var here = values.AsSpan(0, run.Count);
                    (trainer.MasterWeights ?? trainer.Weights).Read(
                        weights, tensor.ElementOffset + run.First, MemoryMarshal.AsBytes(here), DType.Float32);
                    spread.Add(here, run.Share);
                }
            }

            string group = SampledElements.GroupOf(weights);
            if (spread.Count > 0)
            {
                groups.Add(new GroupValues(group, spread, gradients.GetValueOrDefault(group) ?? new ValueHistogram()));
            }
        }

        return groups;
    }

    private void Look(CompletedNorm norm)
    {
        lock (gate)
        {
            string group = SampledElements.GroupOf(norm.Owner);
            if (!gradients.TryGetValue(group, out var spread))
            {
                gradients[group] = spread = new ValueHistogram();
            }

            foreach (var tensor in norm.Layout.Tensors.Where(t => t.Spec.IsTrained))
            {
                foreach (var run in SampledElements.Of(tensor))
                {
                    var bytes = stored.AsSpan(0, (int)norm.Type.SizeOf(run.Count).Value);
                    norm.Memory.Read(norm.Gradients + (nuint)norm.Type.SizeOf(tensor.ElementOffset + run.First).Value, bytes);
                    var here = values.AsSpan(0, run.Count);
                    ElementConversion.Convert(bytes, norm.Type, MemoryMarshal.AsBytes(here), DType.Float32);
                    spread.Add(here, run.Share);
                }
            }
        }
    }
}
