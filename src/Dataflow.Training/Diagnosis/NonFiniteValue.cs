using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>What a value is that is not finite, and so where to look for its cause.</summary>
public enum NonFiniteKind
{
    /// <summary>A weight, as it was before the step: the checkpoint that it came from, or an earlier step, made it so.</summary>
    Weight,

    /// <summary>A value of the forward, or of its recomputation: too large for its type, or not defined.</summary>
    ForwardValue,

    /// <summary>The gradient of an activation.</summary>
    ActivationGradient,

    /// <summary>The gradient of a weight, at the chunk with which the sum over chunks stopped being finite.</summary>
    WeightGradient,

    /// <summary>What a kernel read is not what another had written, which was finite: memory, or a copy, changed it.</summary>
    Damaged,

    /// <summary>The gradients' norm alone: every kernel wrote finite values, and memory, or a copy, changed them afterwards.</summary>
    Norm,

    /// <summary>The device does not show what its kernels write.</summary>
    Unknown,

    /// <summary>The step had no such value when it was run again: memory or the device gave a wrong one once.</summary>
    Gone,
}

/// <summary>The value of a step that was the first not to be finite, in the order in which kernels run.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Tensor">
/// A weight's name in checkpoints, of a weight and of a weight's gradient; what the field calls it, of another; "" where there is none.
/// </param>
public sealed record NonFiniteValue(NonFiniteKind Kind, string Tensor)
{
    /// <summary>Of the op that wrote it, or that read it first; null for the embedding and the head.</summary>
    public Layer? Layer { get; init; }

    /// <summary>The chunk that the op computed.</summary>
    public Chunk? Chunk { get; init; }

    /// <summary>The round that the chunk is in.</summary>
    public Round? Round { get; init; }

    /// <summary>Which pass it was: <see cref="OpKind.Forward"/>, <see cref="OpKind.Backward"/>, <see cref="OpKind.Head"/>.</summary>
    public OpKind? Op { get; init; }

    /// <summary>The kernel that wrote it, or that read it first.</summary>
    public Kernel? Kernel { get; init; }

    /// <summary>The token of the chunk, from 0; null where the tensor has no row for each.</summary>
    public int? Token { get; init; }

    /// <summary>The value: NaN or an infinity.</summary>
    public float Value { get; init; } = float.NaN;

    /// <summary>A clause: "NaN in the gradient of lm_head.weight: head, chunk 1, round 0 (Head, GemmWeightGradient)".</summary>
    public override string ToString() => Kind switch
    {
        NonFiniteKind.Unknown => "somewhere: this device does not show what its kernels write",
        NonFiniteKind.Gone => "run again, the step had finite values alone: memory or the device gave a wrong value once",
        NonFiniteKind.Norm => $"all kernels wrote finite values, and the norm of {Tensor} is not finite: memory, or a copy, changed them",
        NonFiniteKind.Weight when Op is null => $"{Shown} in the weight {Tensor}, as it was loaded",
        NonFiniteKind.Weight => $"{Shown} in the weight {Tensor}, as it was before the step; first read by {Place}",
        NonFiniteKind.Damaged => $"{Shown} in {Tensor}, which was written without: memory, or a copy, changed it; read by {Place}",
        NonFiniteKind.WeightGradient => $"{Shown} in the gradient of {Tensor}: {Place}",
        NonFiniteKind.ActivationGradient => $"{Shown} in {Tensor}, the gradient of an activation: {Place}",
        _ => $"{Shown} in {Tensor}, a value of the forward: {Place}",
    };

    private string Shown => float.IsNaN(Value) ? "NaN" : Value > 0 ? "infinity" : "-infinity";

    private string Place
    {
        get
        {
            string owner =
                Layer is { } layer ? $"layer {layer.Index}"
                : Op is OpKind.Embed or OpKind.EmbedBackward ? "embedding"
                : "head";
            string token = Token is { } t ? string.Create(CultureInfo.InvariantCulture, $", token {t}") : "";
            return $"{owner}, chunk {Chunk?.Index ?? 0}, round {Round?.Index ?? 0}{token} ({Op}, {Kernel})";
        }
    }
}
