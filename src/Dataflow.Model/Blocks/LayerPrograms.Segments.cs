using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// The parts of a forward and of a backward whose window is streamed by segment: up to attention, attention to one segment (run for each),
/// and from attention on. The parts of one chunk share a scratch, where what one leaves the next finds.
/// </summary>
public sealed partial class LayerPrograms
{
    private long[]? beforeAttention;

    /// <summary>
    /// Where a window may be streamed: K, V and attention's output are kept, so that a backward recomputes nothing that needs other chunks.
    /// </summary>
    public static bool MayStream(SaveSet saved) => saved.HasFlag(SaveSet.Kv | SaveSet.Attention);

    /// <summary>Norm, projections and rotation: the chunk's query, and its K and V.</summary>
    public BlockProgram Project(SaveSet saved) => ForwardPart("project", saved, p => p.Before);

    /// <summary>The chunk's attention to one segment.</summary>
    public BlockProgram Attend(SaveSet saved) => ForwardPart("attend", saved, p => p.Attention);

    /// <summary>From attention's output to the block's.</summary>
    public BlockProgram Combine(SaveSet saved) => ForwardPart("combine", saved, p => p.After);

    /// <summary>What the backward of a streamed window lacks.</summary>
    public BlockProgram StreamedRecompute(SaveSet saved) => BackwardPart("streamed-recompute", saved, p => p.Recompute);

    /// <summary>From the output's gradient to that of attention's output.</summary>
    public BlockProgram CombineBackward(SaveSet saved) =>
        NeedsRecompute(saved)
        ? BackwardPart("combine-backward", saved, p => p.Parts.Before)
        : BackwardPart("combine-backward", saved, p => [.. p.Recompute, .. p.Parts.Before]);

    /// <summary>One segment's gradients of K and V, and its part of the query's.</summary>
    public BlockProgram AttendBackward(SaveSet saved) => BackwardPart("attend-backward", saved, p => p.Parts.Attention);

    /// <summary>From the gradients of query, K and V to the input's.</summary>
    public BlockProgram ProjectBackward(SaveSet saved) => BackwardPart("project-backward", saved, p => p.Parts.After);

    /// <summary>Bytes of the saved activations that are written before attention; the others follow.</summary>
    public Bytes SavedBeforeAttention(SaveSet saved) => ActivationsSize(saved & SaveSet.Query);

    /// <summary>Bytes of an object's gradients that a backward writes after attention's; the others follow.</summary>
    public Bytes GradientsBeforeAttention(int part)
    {
        beforeAttention ??= [.. Parts.Select(ElementsBeforeAttention)];
        return new Bytes(beforeAttention[part] * recipe.Gradients.Size());
    }

    private long ElementsBeforeAttention(ParameterLayout part)
    {
        var before = BlockCalls.StreamedBackward(model, Kind).Before.SelectMany(c => c.Operands);
        var first = before.Where(o => o.Tensor == TensorName.WeightGradient).Select(o => o.Weight).ToHashSet();
        if (!part.IsTrained)
        {
            return 0;
        }

        var others = part.Tensors.SkipWhile(t => !first.Contains(t.Name)).ToList();
        return others.Find(t => !first.Contains(t.Name)) is { } stray
            ? throw new InvalidOperationException($"the gradient of {stray.Name} is written after attention's and lies behind others")
            : others.Count == 0 ? part.ElementCount : others[0].ElementOffset;
    }

    private BlockProgram ForwardPart(string name, SaveSet saved, Func<StreamedCalls, ImmutableArray<KernelCall>> part) =>
        cache.TryGetValue((name, saved), out var program) ? program : cache[(name, saved)] = LayForwardPart(saved, part);

    private BlockProgram LayForwardPart(SaveSet saved, Func<StreamedCalls, ImmutableArray<KernelCall>> part)
    {
        var parts = BlockCalls.StreamedForward(model, Kind);
        return Lay(part(parts), [.. parts.Before, .. parts.Attention, .. parts.After], Layout(saved).Offsets);
    }

    private BlockProgram BackwardPart(
        string name, SaveSet saved, Func<(ImmutableArray<KernelCall> Recompute, StreamedCalls Parts), ImmutableArray<KernelCall>> part) =>
        cache.TryGetValue((name, saved), out var program) ? program : cache[(name, saved)] = LayBackwardPart(saved, part);

    private BlockProgram LayBackwardPart(
        SaveSet saved, Func<(ImmutableArray<KernelCall> Recompute, StreamedCalls Parts), ImmutableArray<KernelCall>> part)
    {
        var (recompute, parts) = (Halves(saved).Recompute, BlockCalls.StreamedBackward(model, Kind));
        return Lay(part((recompute, parts)), [.. recompute, .. parts.Before, .. parts.Attention, .. parts.After], Layout(saved).Offsets);
    }
}
