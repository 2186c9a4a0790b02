namespace Dataflow.Model.Tests;

/// <summary>The list of keys is closed: every key of public models' files is on it, those of types that are refused included.</summary>
public class HuggingFaceKeysTests
{
    /// <summary>
    /// The keys of 45 public files by model type, as that library wrote them over the years; text models of wrappers are types of their
    /// own.
    /// </summary>
    private static readonly Dictionary<string, string> PublicKeys = new()
    {
        ["llama"] = """
            activation architectures attention_bias attention_dropout auto_map bos_token_id dtype eos_token_id head_dim hidden_act
            hidden_size
            initializer_range intermediate_size max_position_embeddings mlp_bias model_type num_attention_heads num_hidden_layers
            num_key_value_heads
            pad_token_id pretraining_tp rms_norm_eps rope_parameters rope_scaling rope_theta tie_word_embeddings torch_dtype
            transformers_version
            use_cache vocab_size
            """,
        ["qwen3"] = """
            architectures attention_bias attention_dropout bos_token_id eos_token_id head_dim hidden_act hidden_size initializer_range
            intermediate_size layer_types max_position_embeddings max_window_layers model_type num_attention_heads num_hidden_layers
            num_key_value_heads quantization_config rms_norm_eps rope_scaling rope_theta sliding_window tie_word_embeddings torch_dtype
            transformers_version use_cache use_sliding_window vocab_size
            """,
        ["deepseek_v2, deepseek_v3 and glm_moe_dsa"] = """
            aux_loss_alpha ep_size first_k_dense_replace index_head_dim index_n_heads index_topk indexer_rope_interleave kv_lora_rank
            moe_intermediate_size moe_layer_freq n_group n_routed_experts n_shared_experts norm_topk_prob num_experts_per_tok
            num_nextn_predict_layers q_lora_rank qk_head_dim qk_nope_head_dim qk_rope_head_dim rope_interleave routed_scaling_factor
            scoring_func
            seq_aux topk_group topk_method v_head_dim
            """,
        ["gemma2, gemma3_text, gemma4 and gemma4_text"] = """
            attention_k_eq_v attn_logit_softcapping audio_config audio_token_id boa_token_id boi_token_id enable_moe_block eoa_token_id
            eoa_token_index eoi_token_id final_logit_softcapping global_head_dim hidden_activation hidden_size_per_layer_input
            image_token_id
            num_global_key_value_heads num_kv_shared_layers query_pre_attn_scalar rope_local_base_freq sliding_window_pattern text_config
            top_k_experts use_bidirectional_attention use_double_wide_mlp video_token_id vision_config vision_soft_tokens_per_image
            vocab_size_per_layer_input
            """,
        ["gpt2 and phi"] = """
            activation_function attn_pdrop embd_pdrop layer_norm_eps layer_norm_epsilon n_ctx n_embd n_head n_layer n_positions
            partial_rotary_factor resid_pdrop
            """,
        ["gpt_oss, mixtral, qwen3_moe and llama4_text"] = """
            attention_chunk_size decoder_sparse_step experts_per_token initial_context_length interleave_moe_layer_step
            intermediate_size_mlp
            mlp_only_layers num_experts num_local_experts output_router_logits router_aux_loss_coef swiglu_limit use_qk_norm
            """,
        ["granite, internlm2, mimo, minicpm, nemotron-nas and smollm3"] = """
            _name_or_path attention_multiplier bias block_configs dim_model_base embedding_multiplier logits_scaling no_rope_layer_interval
            no_rope_layers residual_multiplier scale_depth scale_emb use_mrope
            """,
        ["nemotron_h"] = """
            chunk_size conv_kernel expand hidden_dropout hybrid_override_pattern mamba_head_dim mamba_hidden_act mamba_num_heads
            mamba_proj_bias
            mamba_ssm_cache_dtype mlp_hidden_act moe_shared_expert_intermediate_size n_groups norm_eps num_logits_to_keep
            rescale_prenorm_residual residual_in_fp32 ssm_state_size time_step_floor time_step_max time_step_min use_bias use_conv_bias
            use_mamba_kernels
            """,
        ["qwen3_5, qwen3_5_text and qwen3_vl"] = """
            attn_output_gate full_attention_interval linear_conv_kernel_dim linear_key_head_dim linear_num_key_heads linear_num_value_heads
            linear_value_head_dim mamba_ssm_dtype mtp_num_hidden_layers mtp_use_dedicated_embeddings vision_end_token_id
            vision_start_token_id
            """,
    };

    private const string PublicRopeKeys = """
        attn_factor beta_fast beta_slow factor finetuned full_attention high_freq_factor low_freq_factor mrope_interleaved mrope_section
        mscale
        mscale_all_dim original_max_position_embeddings partial_rotary_factor rope_theta rope_type sliding_attention truncate type
        """;

    private static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    [Fact]
    public void Every_key_of_public_files_is_on_the_list()
    {
        string[] keys = [.. PublicKeys.Values.SelectMany(Words).Distinct()];
        Assert.Equal(164, keys.Length);
        Assert.All(keys, key => Assert.All(ModelFamily.All, family => Assert.NotNull(family.Use(key))));
        Assert.All(Words(PublicRopeKeys), key => Assert.Contains(key, HuggingFaceKeys.Rope.Keys));
    }

    [Fact]
    public void What_a_familys_own_files_say_is_no_other_familys()
    {
        foreach (var family in ModelFamily.All.Where(f => PublicKeys.ContainsKey(f.Type)))
        {
            Assert.All(Words(PublicKeys[family.Type]), key => Assert.IsNotType<KeyUse.OfOthers>(family.Use(key)));
        }
    }

    [Fact]
    public void What_is_ignored_has_a_reason_and_what_is_refused_has_one()
    {
        foreach (var use in HuggingFaceKeys.All.Values.Concat(HuggingFaceKeys.Rope.Values))
        {
            Assert.NotEqual(
                "",
                use switch
                {
                    KeyUse.Ignored i => i.Reason,
                    KeyUse.RefusedUnless r => r.Reason,
                    KeyUse.OfOthers o => o.Of,
                    _ => "read",
                }
            );
        }
    }
}
