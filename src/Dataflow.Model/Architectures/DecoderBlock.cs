using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <summary>
/// The block of Llama and Qwen3: its parameters, and its math as lists of kernel calls, written once, run by every device. What is
/// streamed or recomputed is derived from them (<see cref="BlockCalls"/>).
/// </summary>
internal static class DecoderBlock
{
    private const string Layer = "model.layers.{layer}.";
    private const string Attention = Layer + "self_attn.";
    private const string Mlp = Layer + "mlp.";
    private const Activation Gate = Activation.Silu;

    /// <summary>
    /// In memory order. Within a group, those whose gradients the backward writes after attention's come before the others.
    /// </summary>
    public static ImmutableArray<ParameterSpec> Parameters(ModelConfig model, LayerKind kind)
    {
        var (d, q, kv, f) = (model.ModelDim, model.QueryDim, model.KvDim, kind.FfnDim);
        InitialValues fromStream = InitialValues.FanIn(d);
        ImmutableArray<ParameterSpec> headNorms = model.QkNorm
            ?
            [
                ParameterSpec.Vector(WeightName.QNorm, InitialValues.One, (Attention + "q_norm.weight", model.QueryNormDim)),
                ParameterSpec.Vector(WeightName.KNorm, InitialValues.One, (Attention + "k_norm.weight", model.KeyNormDim)),
            ]
            : [];
        ImmutableArray<ParameterSpec> attention =
        [
            ParameterSpec.Vector(WeightName.AttentionNorm, InitialValues.One, (Layer + "input_layernorm.weight", d)),
            ParameterSpec.Matrix(
                WeightName.Qkv,
                d,
                fromStream,
                (Attention + "q_proj.weight", q),
                (Attention + "k_proj.weight", kv),
                (Attention + "v_proj.weight", kv)
            ),
            .. headNorms,
            ParameterSpec.Matrix(
                WeightName.AttentionOut,
                q,
                InitialValues.IntoStream(q, model.LayerCount),
                (Attention + "o_proj.weight", d)
            ),
        ];
        ImmutableArray<ParameterSpec> feedForward =
        [
            ParameterSpec.Vector(WeightName.FfnNorm, InitialValues.One, (Layer + "post_attention_layernorm.weight", d)),
            ParameterSpec.Matrix(WeightName.GateUp, d, fromStream, (Mlp + "gate_proj.weight", f), (Mlp + "up_proj.weight", f)),
            ParameterSpec.Matrix(WeightName.Down, f, InitialValues.IntoStream(f, model.LayerCount), (Mlp + "down_proj.weight", d)),
        ];
        IEnumerable<ParameterSpec> all =
        [
            .. attention.Select(InLayer),
            .. feedForward.Select(p => InLayer(p) with { Group = kind.FfnApart ? 1 : 0 }),
        ];

        // What is stored alike lies together, so that a layer is in as few objects as can be.
        return [.. all.OrderBy(p => p.Group).ThenBy(p => p.Storage is not null)];

        // Norms stay in the recipe's type: they are few, and kernels read them as they are.
        ParameterSpec InLayer(ParameterSpec p) => p with { IsTrained = !kind.Frozen, Storage = p.Rows > 1 ? kind.FrozenType : null };
    }

    /// <summary>
    /// The tensors of the activation object, in order; with QK-norm the raw product stands for the query. What is kept before attention
    /// comes first, so that it and what is kept after it are one range each.
    /// </summary>
    public static IEnumerable<TensorName> Saved(ModelConfig model, SaveSet saved)
    {
        if (saved.HasFlag(SaveSet.Query))
        {
            yield return model.QkNorm ? Qkv : Query;
        }

        if (saved.HasFlag(SaveSet.Attention))
        {
            yield return AttentionOut;
            yield return Lse;
        }

        if (saved.HasFlag(SaveSet.Residual))
        {
            yield return Residual;
        }

        if (saved.HasFlag(SaveSet.GateUp))
        {
            yield return GateUp;
        }
    }

    /// <summary>x to y; every tensor that a backward may want on the way.</summary>
    public static ImmutableArray<KernelCall> Forward(ModelConfig model, LayerKind kind) =>
        [
            Norm(Input, WeightName.AttentionNorm, Norm1, Rstd1),
            new GemmForwardCall
            {
                A = Norm1,
                B = W(WeightName.Qkv),
                C = Qkv,
            },
            new QkNormRopeForwardCall
            {
                Qkv = Qkv,
                FirstKey = FirstKey,
                QueryNorm = model.QkNorm ? W(WeightName.QNorm) : null,
                KeyNorm = model.QkNorm ? W(WeightName.KNorm) : null,
                Rotary = RotaryTable.Of(model),
                NormKind = model.QkNormKind,
                Query = Query,
                KeyValue = KvPiece,
            },
            new AttentionForwardCall
            {
                Query = Query,
                Keys = KvWindow,
                FirstKey = FirstKeyOf(kind),
                Output = AttentionOut,
                Lse = Lse,
            },
            new GemmForwardCall
            {
                A = AttentionOut,
                B = W(WeightName.AttentionOut),
                C = Residual,
                Addend = Input,
            },
            Norm(Residual, WeightName.FfnNorm, Norm2, Rstd2),
            new GemmForwardCall
            {
                A = Norm2,
                B = W(WeightName.GateUp),
                C = GateUp,
            },
            new GatedActivationForwardCall
            {
                Activation = Gate,
                GateUp = GateUp,
                Ffn = Ffn,
            },
            new GemmForwardCall
            {
                A = Ffn,
                B = W(WeightName.Down),
                C = Output,
                Addend = Residual,
            },
        ];

    /// <summary>The gradient of the residual stream in place, from y's to x's, and of every weight that is trained.</summary>
    public static ImmutableArray<KernelCall> Backward(ModelConfig model, LayerKind kind) =>
        [.. WithProducts(model, kind).Where(c => !kind.Frozen || c is not GemmWeightGradientCall)];

    /// <summary>The same with every product for a matrix's gradient, as if all were trained; norms leave out what is not.</summary>
    private static ImmutableArray<KernelCall> WithProducts(ModelConfig model, LayerKind kind) =>
        [
            InputGradient(GradStream, WeightName.Down, GradFfn),
            new GatedActivationBackwardCall
            {
                Activation = Gate,
                GradFfn = GradFfn,
                GateUp = GateUp,
            },
            WeightGradient(GradStream, GradFfn, WeightName.Down),
            InputGradient(GateUp, WeightName.GateUp, GradNorm2),
            WeightGradient(GateUp, Norm2, WeightName.GateUp),
            NormBackward(kind, GradNorm2, Residual, Rstd2, WeightName.FfnNorm),
            InputGradient(GradStream, WeightName.AttentionOut, GradAttention),
            WeightGradient(GradStream, AttentionOut, WeightName.AttentionOut),
            new AttentionBackwardCall
            {
                Query = Query,
                Keys = KvWindow,
                FirstKey = FirstKeyOf(kind),
                Output = AttentionOut,
                Lse = Lse,
                GradOutput = GradAttention,
                GradQuery = GradQuery,
                GradQuerySums = GradQuerySums,
                GradKeys = GradKvWindow,
            },
            new QkNormRopeBackwardCall
            {
                GradQuery = GradQuery,
                GradKeyValue = GradKvPiece,
                FirstKey = FirstKey,
                Rotary = RotaryTable.Of(model),
                NormKind = model.QkNormKind,
                Norms = model.QkNorm
                    ? new QkNormOperands(
                        Qkv,
                        W(WeightName.QNorm),
                        W(WeightName.KNorm),
                        Gradient(kind, WeightName.QNorm),
                        Gradient(kind, WeightName.KNorm),
                        Partials
                    )
                    : null,
                GradQkv = GradQkv,
            },
            InputGradient(GradQkv, WeightName.Qkv, GradNorm1),
            WeightGradient(GradQkv, Norm1, WeightName.Qkv),
            NormBackward(kind, GradNorm1, Input, Rstd1, WeightName.AttentionNorm),
        ];

    /// <summary>Where attention begins; positions count from the document's first token either way.</summary>
    private static TensorName FirstKeyOf(LayerKind kind) => kind.Window is null ? FirstKey : FirstKeyInWindow;

    private static RmsNormForwardCall Norm(TensorName x, WeightName weight, TensorName y, TensorName rstd) =>
        new()
        {
            X = x,
            Weight = W(weight),
            Y = y,
            Rstd = rstd,
        };

    private static GemmInputGradientCall InputGradient(TensorName gradient, WeightName weight, TensorName result) =>
        new()
        {
            A = gradient,
            B = W(weight),
            C = result,
        };

    private static GemmWeightGradientCall WeightGradient(TensorName gradient, TensorName input, WeightName weight) =>
        new()
        {
            A = gradient,
            B = input,
            C = G(weight),
        };

    /// <summary>Added to the stream's gradient, which passes by the norm as it is.</summary>
    private static RmsNormBackwardCall NormBackward(
        LayerKind kind,
        TensorName gradient,
        TensorName x,
        TensorName rstd,
        WeightName weight
    ) =>
        new()
        {
            GradY = gradient,
            X = x,
            Rstd = rstd,
            Weight = W(weight),
            GradX = GradStream,
            Adds = true,
            GradWeight = Gradient(kind, weight),
            Workspace = Partials,
        };

    private static Operand? Gradient(LayerKind kind, WeightName weight) => kind.Frozen ? null : G(weight);
}
