namespace Dataflow.Model;

/// <summary>A model type that can be trained: what its absent keys stand for, and the keys that only it has or has otherwise.</summary>
/// <param name="Type">Its model_type.</param>
/// <param name="Architecture">The one of its architectures that has a language-model head.</param>
/// <param name="HeadDim">Where head_dim is absent; null: hidden_size / num_attention_heads.</param>
/// <param name="KvHeads">Where num_key_value_heads is absent; null: as many as query heads.</param>
/// <param name="QkNorm">Queries and keys are normed.</param>
/// <param name="Windows">What its keys of sliding windows mean.</param>
internal sealed record HuggingFaceFamily(string Type, string Architecture, int? HeadDim, int? KvHeads, bool QkNorm, WindowRule Windows)
{
    /// <summary>All of them; defaults are those of transformers 5.</summary>
    public static readonly HuggingFaceFamily[] All =
    [
        new("llama", "LlamaForCausalLM", HeadDim: null, KvHeads: null, QkNorm: false, WindowRule.None),
        new("qwen3", "Qwen3ForCausalLM", HeadDim: 128, KvHeads: 32, QkNorm: true, WindowRule.LastLayers),
    ];

    /// <summary>The family that a config is written as.</summary>
    public static HuggingFaceFamily Of(ModelConfig config) => All.Single(f => f.QkNorm == config.QkNorm);

    /// <summary>What becomes of a key; null if the table does not have it.</summary>
    public KeyUse? Use(string key) =>
        Windows == WindowRule.LastLayers && HuggingFaceKeys.Windows.Contains(key)
            ? new KeyUse.Read()
            : HuggingFaceKeys.All.GetValueOrDefault(key);
}

/// <summary>Which layers a family's window keys are about.</summary>
internal enum WindowRule
{
    /// <summary>It does not read them.</summary>
    None,

    /// <summary>Under use_sliding_window, those from max_window_layers on (Qwen3).</summary>
    LastLayers,
}
