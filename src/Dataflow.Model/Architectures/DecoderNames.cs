using System.Collections.Immutable;
using System.Globalization;

namespace Dataflow.Model;

/// <summary>
/// What a family's checkpoints call the parameters of a decoder; "{layer}" stands for the block's index. Names of products and of norms
/// that have a bias are without their ending: ".weight" and ".bias" are put behind.
/// </summary>
internal sealed record DecoderNames
{
    /// <summary>Stands for a head's number, in names of norms that are a tensor for each head.</summary>
    public const string HeadNumber = "{head}";

    /// <summary>Such a name of one head.</summary>
    public static string OfHead(string name, int head) =>
        name.Replace(HeadNumber, head.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    /// <summary>The name of one expert's matrix.</summary>
    public static string OfExpert(string name, int expert) =>
        name.Replace(ExpertNumber, expert.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    /// <summary>Those of Llama, which most families share.</summary>
    public static DecoderNames Llama { get; } = new();

    public string Embedding { get; init; } = "model.embed_tokens";

    /// <summary>The table of positions, where they are learned.</summary>
    public string Positions { get; init; } = "";

    public string FinalNorm { get; init; } = "model.norm";

    public string Head { get; init; } = "lm_head";

    /// <summary>Before the names of a block's parameters.</summary>
    public string Layer { get; init; } = "model.layers.{layer}.";

    public string AttentionNorm { get; init; } = "input_layernorm";

    public string Query { get; init; } = "self_attn.q_proj";

    public string Key { get; init; } = "self_attn.k_proj";

    public string Value { get; init; } = "self_attn.v_proj";

    /// <summary>Queries, keys and values in one matrix, in place of the three; null: apart.</summary>
    public string? Qkv { get; init; }

    /// <summary>In that matrix each head has its query, key and value in a row (GPT-NeoX).</summary>
    public bool QkvByHead { get; init; }

    /// <summary>Of latent attention: what queries are of, its norm, and queries; without a rank they have the name of others.</summary>
    public string QueryLatent { get; init; } = "self_attn.q_a_proj";

    public string QueryLatentNorm { get; init; } = "self_attn.q_a_layernorm";

    public string QueryUp { get; init; } = "self_attn.q_b_proj";

    /// <summary>Likewise of keys and values.</summary>
    public string KvLatent { get; init; } = "self_attn.kv_a_proj_with_mqa";

    public string KvLatentNorm { get; init; } = "self_attn.kv_a_layernorm";

    public string KvUp { get; init; } = "self_attn.kv_b_proj";

    public string QueryNorm { get; init; } = "self_attn.q_norm";

    public string KeyNorm { get; init; } = "self_attn.k_norm";

    public string AttentionOut { get; init; } = "self_attn.o_proj";

    /// <summary>Of a gated convolution in place of attention: what it is of, its taps, what its result goes through.</summary>
    public string ConvolutionIn { get; init; } = "conv.in_proj";

    public string ConvolutionTaps { get; init; } = "conv.conv";

    public string ConvolutionOut { get; init; } = "conv.out_proj";

    /// <summary>Of a recurrence in place of attention: queries, keys and values, what the result is gated by, and the gates.</summary>
    public string RecurrenceIn { get; init; } = "linear_attn.in_proj_qkv";

    /// <summary>Queries, keys and values in a matrix each, in place of one.</summary>
    public ImmutableArray<string> RecurrenceApart { get; init; } = [];

    public string RecurrenceGate { get; init; } = "linear_attn.in_proj_z";

    public string RecurrenceBeta { get; init; } = "linear_attn.in_proj_b";

    public string RecurrenceStep { get; init; } = "linear_attn.in_proj_a";

    public string RecurrenceTaps { get; init; } = "linear_attn.conv1d";

    /// <summary>Likewise the taps of each, which a file has apart.</summary>
    public ImmutableArray<string> RecurrenceTapsApart { get; init; } = [];

    /// <summary>
    /// Key head by key head: in one matrix queries, keys, values and what the result is gated by, in the other (that of
    /// <see cref="RecurrenceBeta"/>) the gates (Qwen3-Next).
    /// </summary>
    public bool RecurrenceByKeyHead { get; init; }

    /// <summary>All of them in one matrix, in place of the four: what it is gated by first, then values, keys, queries, gates.</summary>
    public string? RecurrenceFused { get; init; }

    /// <summary>This one and the next two with no ending.</summary>
    public string Decay { get; init; } = "linear_attn.A_log";

    public string StepBias { get; init; } = "linear_attn.dt_bias";

    public string Skip { get; init; } = "linear_attn.D";

    public string RecurrenceNorm { get; init; } = "linear_attn.norm";

    public string RecurrenceOut { get; init; } = "linear_attn.out_proj";

    /// <summary>After attention, where there is one.</summary>
    public string AttentionPostNorm { get; init; } = "post_attention_layernorm";

    public string FfnNorm { get; init; } = "post_attention_layernorm";

    public string Gate { get; init; } = "mlp.gate_proj";

    public string Up { get; init; } = "mlp.up_proj";

    /// <summary>Gate and up in one matrix, in place of the two; null: apart.</summary>
    public string? GateUp { get; init; }

    public string Down { get; init; } = "mlp.down_proj";

    /// <summary>Stands for an expert's number, in names of matrices that are a tensor for each expert.</summary>
    public const string ExpertNumber = "{expert}";

    /// <summary>What the experts of a token are chosen by.</summary>
    public string Router { get; init; } = "mlp.gate";

    /// <summary>What is added to scores where experts are chosen; the whole name, and whether a file has it as [1, E].</summary>
    public string RouterCorrection { get; init; } = "mlp.gate.e_score_correction_bias";

    public bool RouterCorrectionIsRow { get; init; }

    public string ExpertGate { get; init; } = "mlp.experts.{expert}.gate_proj";

    public string ExpertUp { get; init; } = "mlp.experts.{expert}.up_proj";

    public string ExpertDown { get; init; } = "mlp.experts.{expert}.down_proj";

    /// <summary>
    /// Gate and up of all experts in one tensor [E, 2 F, D], in place of those of each; that of <see cref="ExpertDown"/> is one then, too.
    /// Null: apart.
    /// </summary>
    public string? ExpertGateUp { get; init; }

    /// <summary>Behind the names of such tensors.</summary>
    public string ExpertEnding { get; init; } = ".weight";

    /// <summary>Of experts beside the dense one: the norm of what the router reads and each expert's number, whole names.</summary>
    public string RouterNorm { get; init; } = "router.scale";

    public string ExpertScale { get; init; } = "router.per_expert_scale";

    /// <summary>The norm before them, the one after them, and that after the dense feed-forward.</summary>
    public string ExpertNorm { get; init; } = "pre_feedforward_layernorm_2";

    public string ExpertPostNorm { get; init; } = "post_feedforward_layernorm_2";

    public string DensePostNorm { get; init; } = "post_feedforward_layernorm_1";

    /// <summary>
    /// These two have no ending, and are [E, in, out] with columns of gate and up by turns; biases of router and experts stand beside them
    /// (gpt-oss).
    /// </summary>
    public bool ExpertsByColumn { get; init; }

    /// <summary>Logits of heads that join the softmax; the whole name.</summary>
    public string AttentionSinks { get; init; } = "self_attn.sinks";

    /// <summary>The feed-forward that every token has besides its experts: gate, up (or both in one matrix) and down.</summary>
    public string SharedGate { get; init; } = "mlp.shared_experts.gate_proj";

    public string SharedUp { get; init; } = "mlp.shared_experts.up_proj";

    public string? SharedGateUp { get; init; }

    public string SharedDown { get; init; } = "mlp.shared_experts.down_proj";

    /// <summary>By what it counts, where it has a gate.</summary>
    public string SharedExpertGate { get; init; } = "mlp.shared_expert_gate";

    /// <summary>The same names, the dense feed-forward's being those of the one that every token has besides its experts.</summary>
    public DecoderNames OfShared() => this with { Gate = SharedGate, Up = SharedUp, GateUp = SharedGateUp, Down = SharedDown };

    /// <summary>Of what layers take of a token: the table, the projection of the embedding and its norm.</summary>
    public string LayerInputTable { get; init; } = "model.embed_tokens_per_layer";

    public string LayerInputProjection { get; init; } = "model.per_layer_model_projection";

    public string LayerInputNorm { get; init; } = "model.per_layer_projection_norm";

    /// <summary>In a layer: the gate, the product of the result, and its norm.</summary>
    public string InputGate { get; init; } = "per_layer_input_gate";

    public string InputOut { get; init; } = "per_layer_projection";

    public string InputPostNorm { get; init; } = "post_per_layer_input_norm";

    /// <summary>What all that a layer leaves is multiplied by, where there is such a number: the whole name.</summary>
    public string LayerScalar { get; init; } = "layer_scalar";

    /// <summary>Matrices of blocks are stored [in, out] (GPT-2).</summary>
    public bool Transposed { get; init; }

    /// <summary>After the feed-forward, where there is one.</summary>
    public string FfnPostNorm { get; init; } = "post_feedforward_layernorm";
}
