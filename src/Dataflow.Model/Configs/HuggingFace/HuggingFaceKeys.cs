using System.Collections.Frozen;

namespace Dataflow.Model;

/// <summary>
/// The closed list of keys: each is read, has no influence for a reason, belongs to other families, or is refused unless it has a value
/// that is computed. A key that is not here is told once, for nobody knows what it would change.
/// </summary>
internal static class HuggingFaceKeys
{
    private const string Tokenizer = "of the tokenizer and of generation";
    private const string Numbers = "--dtype says how numbers are rounded";
    private const string Generation = "of generation";
    private const string Heads = "of heads other than the language model's";
    private const string Origin = "where the file is from";
    private const string PlainOnly = "positions are not scaled so";
    private const string NoBias = "biases are not supported";
    /// <summary>Of weights that are quantised in a way that is not read.</summary>
    public const string NoQuantisation = "quantised weights cannot be trained";

    /// <summary>By key, for every family that has no row of its own.</summary>
    public static readonly FrozenDictionary<string, KeyUse> All = Rows()
        .SelectMany(r => r.Keys.Select(key => KeyValuePair.Create(key, r.Use)))
        .ToFrozenDictionary();

    /// <summary>The keys inside rope_scaling and rope_parameters.</summary>
    public static readonly FrozenDictionary<string, KeyUse> Rope = RopeRows()
        .SelectMany(r => r.Keys.Select(key => KeyValuePair.Create(key, r.Use)))
        .ToFrozenDictionary();

    private static (string[] Keys, KeyUse Use)[] Rows() =>
        [
            (
                [
                    "architectures",
                    "model_type",
                    "vocab_size",
                    "hidden_size",
                    "num_hidden_layers",
                    "num_attention_heads",
                    "num_key_value_heads",
                ],
                new KeyUse.Read()
            ),
            (["head_dim", "intermediate_size", "tie_word_embeddings", "layer_types", "initializer_range"], new KeyUse.Read()),
            (["rope_theta", "rope_scaling", "rope_parameters", "max_position_embeddings", "pad_token_id"], new KeyUse.Read()),
            (["attention_bias", "mlp_bias", "bias", "use_bias"], new KeyUse.RefusedUnless(NoBias, "false")),
            (["partial_rotary_factor"], new KeyUse.RefusedUnless("only rotation of whole heads is supported", "1")),
            ([Fp8Weights.Key], new KeyUse.Quantisation(NoQuantisation)),
            (["compression_config"], new KeyUse.RefusedUnless(NoQuantisation)),
            (
                ["num_local_experts", "num_experts", "n_routed_experts"],
                new KeyUse.RefusedUnless("only dense feed-forwards are supported", "0")
            ),
            (["is_encoder_decoder", "add_cross_attention"], new KeyUse.RefusedUnless("only decoders are supported", "false")),
            (["use_sliding_window"], new KeyUse.RefusedUnless(HuggingFaceLayers.FullOnly, "false")),
            (
                [
                    "attention_dropout",
                    "hidden_dropout",
                    "attn_pdrop",
                    "embd_pdrop",
                    "resid_pdrop",
                    "dropout",
                    "hidden_dropout_prob",
                    "attention_probs_dropout_prob",
                ],
                new KeyUse.Dropout()
            ),
            (
                ["sliding_window", "max_window_layers"],
                new KeyUse.Ignored("without use_sliding_window, or a family that does not read it, attention is full")
            ),
            (["torch_dtype", "dtype", "use_bfloat16"], new KeyUse.Ignored(Numbers)),
            (
                ["pretraining_tp", "chunk_size_feed_forward", "gradient_checkpointing", "use_mamba_kernels"],
                new KeyUse.Ignored("how a product is cut changes no result")
            ),
            (["activation"], new KeyUse.Ignored("hidden_act is what is read")),
            (
                [
                    "auto_map",
                    "_name_or_path",
                    "name_or_path",
                    "transformers_version",
                    "_commit_hash",
                    "license",
                    "unsloth_version",
                    "unsloth_fixed",
                ],
                new KeyUse.Ignored(Origin)
            ),
            (
                ["_attn_implementation", "attn_implementation", "_attn_implementation_autoset", "_flash_attn_2_enabled"],
                new KeyUse.Ignored("how attention is computed changes no result")
            ),
            (
                ["bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "decoder_start_token_id"],
                new KeyUse.Ignored(Tokenizer)
            ),
            (
                ["tokenizer_class", "model_max_length", "max_sequence_length", "prefix", "forced_bos_token_id", "forced_eos_token_id"],
                new KeyUse.Ignored(Tokenizer)
            ),
            (
                [
                    "use_cache",
                    "cache_implementation",
                    "num_logits_to_keep",
                    "return_dict",
                    "return_dict_in_generate",
                    "output_attentions",
                    "output_hidden_states",
                ],
                new KeyUse.Ignored(Generation)
            ),
            (
                [
                    "output_scores",
                    "torchscript",
                    "max_length",
                    "min_length",
                    "max_new_tokens",
                    "do_sample",
                    "early_stopping",
                    "num_beams",
                    "num_beam_groups",
                ],
                new KeyUse.Ignored(Generation)
            ),
            (
                [
                    "diversity_penalty",
                    "temperature",
                    "top_k",
                    "top_p",
                    "typical_p",
                    "repetition_penalty",
                    "length_penalty",
                    "no_repeat_ngram_size",
                ],
                new KeyUse.Ignored(Generation)
            ),
            (
                [
                    "encoder_no_repeat_ngram_size",
                    "bad_words_ids",
                    "num_return_sequences",
                    "remove_invalid_values",
                    "exponential_decay_length_penalty",
                ],
                new KeyUse.Ignored(Generation)
            ),
            (["suppress_tokens", "begin_suppress_tokens", "generation_config"], new KeyUse.Ignored(Generation)),
            (
                ["id2label", "label2id", "num_labels", "problem_type", "task_specific_params", "finetuning_task", "pruned_heads"],
                new KeyUse.Ignored(Heads)
            ),
            (
                ["is_decoder", "cross_attention_hidden_size", "tie_encoder_decoder", "tf_legacy_loss"],
                new KeyUse.Ignored("of encoders and decoders")
            ),
            (["is_llama_config"], new KeyUse.Ignored(Origin)),
            (
                ["output_router_logits", "router_aux_loss_coef", "aux_loss_alpha", "seq_aux"],
                new KeyUse.Ignored("of experts, which there are none of")
            ),
            .. OtherFamilies(),
        ];

    /// <summary>Keys of families that are refused by their type.</summary>
    private static (string[] Keys, KeyUse Use)[] OtherFamilies() =>
        [
            (
                [
                    "moe_intermediate_size",
                    "moe_layer_freq",
                    "first_k_dense_replace",
                    "n_shared_experts",
                    "num_experts_per_tok",
                    "experts_per_token",
                    "top_k_experts",
                ],
                Others("mixtures of experts")
            ),
            (
                [
                    "norm_topk_prob",
                    "routed_scaling_factor",
                    "scoring_func",
                    "topk_group",
                    "topk_method",
                    "n_group",
                    "ep_size",
                    "decoder_sparse_step",
                ],
                Others("mixtures of experts")
            ),
            (
                [
                    "mlp_only_layers",
                    "interleave_moe_layer_step",
                    "intermediate_size_mlp",
                    "enable_moe_block",
                    "moe_shared_expert_intermediate_size",
                ],
                Others("mixtures of experts")
            ),
            (
                ["kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "qk_head_dim", "v_head_dim"],
                Others("latent attention")
            ),
            (["index_head_dim", "index_n_heads", "index_topk", "indexer_rope_interleave", "rope_interleave"], Others("sparse attention")),
            (
                ["num_nextn_predict_layers", "mtp_num_hidden_layers", "mtp_use_dedicated_embeddings"],
                Others("the prediction of several tokens")
            ),
            (
                [
                    "attn_logit_softcapping",
                    "final_logit_softcapping",
                    "hidden_activation",
                    "query_pre_attn_scalar",
                    "rope_local_base_freq",
                    "sliding_window_pattern",
                ],
                Others("gemma")
            ),
            (
                [
                    "attention_k_eq_v",
                    "global_head_dim",
                    "hidden_size_per_layer_input",
                    "num_global_key_value_heads",
                    "num_kv_shared_layers",
                ],
                Others("gemma")
            ),
            (["use_bidirectional_attention", "use_double_wide_mlp", "vocab_size_per_layer_input"], Others("gemma")),
            (["attention_multiplier", "embedding_multiplier", "logits_scaling", "residual_multiplier"], Others("granite")),
            (["dim_model_base", "scale_depth", "scale_emb"], Others("minicpm")),
            (["rms_norm_eps"], Others("models with RMS norms")),
            (["hidden_act"], Others("models that call it so")),
            (["no_rope_layer_interval", "no_rope_layers"], Others("smollm3")),
            (["block_configs"], Others("nemotron-nas")),
            (["swiglu_limit", "initial_context_length"], Others("gpt_oss")),
            (["attention_chunk_size", "use_qk_norm"], Others("llama4")),
            (["use_mrope"], Others("mimo")),
            (
                ["activation_function", "layer_norm_epsilon", "layer_norm_eps", "n_ctx", "n_embd", "n_head", "n_layer", "n_positions"],
                Others("gpt2 and phi")
            ),
            (
                ["attn_output_gate", "full_attention_interval", "linear_conv_kernel_dim", "linear_key_head_dim", "linear_num_key_heads"],
                Others("linear attention")
            ),
            (["linear_num_value_heads", "linear_value_head_dim", "mamba_ssm_dtype"], Others("linear attention")),
            (
                [
                    "chunk_size",
                    "conv_kernel",
                    "expand",
                    "hybrid_override_pattern",
                    "mamba_head_dim",
                    "mamba_hidden_act",
                    "mamba_num_heads",
                    "mamba_proj_bias",
                ],
                Others("state spaces")
            ),
            (
                [
                    "mamba_ssm_cache_dtype",
                    "mlp_hidden_act",
                    "n_groups",
                    "norm_eps",
                    "rescale_prenorm_residual",
                    "residual_in_fp32",
                    "ssm_state_size",
                ],
                Others("state spaces")
            ),
            (["time_step_floor", "time_step_max", "time_step_min", "use_conv_bias"], Others("state spaces")),
            (
                [
                    "text_config",
                    "vision_config",
                    "audio_config",
                    "image_token_id",
                    "video_token_id",
                    "audio_token_id",
                    "boa_token_id",
                    "boi_token_id",
                ],
                Others("images and sound")
            ),
            (
                [
                    "eoa_token_id",
                    "eoa_token_index",
                    "eoi_token_id",
                    "vision_end_token_id",
                    "vision_start_token_id",
                    "vision_soft_tokens_per_image",
                ],
                Others("images and sound")
            ),
        ];

    private static (string[] Keys, KeyUse Use)[] RopeRows() =>
        [
            (["rope_theta", "rope_type", "type"], new KeyUse.Read()),
            (["factor", "attention_factor"], new KeyUse.RefusedUnless(PlainOnly, "1")),
            (["partial_rotary_factor"], new KeyUse.RefusedUnless("only rotation of whole heads is supported", "1")),
            (
                ["low_freq_factor", "high_freq_factor", "short_factor", "long_factor", "short_mscale", "long_mscale"],
                new KeyUse.RefusedUnless(PlainOnly)
            ),
            (
                ["beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate", "llama_4_scaling_beta"],
                new KeyUse.RefusedUnless(PlainOnly)
            ),
            (["full_attention", "sliding_attention"], new KeyUse.RefusedUnless("positions by kind of layer are not supported")),
            (["original_max_position_embeddings"], new KeyUse.Ignored("of scaled positions")),
            (["attn_factor"], new KeyUse.Ignored("that library does not read it either")),
            (["mrope_section", "mrope_interleaved"], new KeyUse.Ignored("on text all three positions are equal")),
            (["finetuned"], new KeyUse.Ignored(Origin)),
        ];

    private static KeyUse.OfOthers Others(string of) => new(of);
}
