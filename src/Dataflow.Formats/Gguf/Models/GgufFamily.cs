using Dataflow.Model;

namespace Dataflow.Formats;

/// <summary>What a tensor of a GGUF file has otherwise than a Hugging Face folder.</summary>
internal enum TensorChange
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Rows of a head are in the order in which neighbours are rotated, not halves.</summary>
    Neighbours,

    /// <summary>Weights of norms are one more, so that norms multiply by them alone.</summary>
    OneMore,
}

/// <summary>An architecture of GGUF files: its name here and there, what it calls its tensors, and what readers suppose of it.</summary>
internal sealed record GgufFamily
{
    private const string Llama = "llama", Qwen3 = "qwen3", Gemma2 = "gemma2", Gemma3 = "gemma3", Phi3 = "phi3";

    private static readonly Dictionary<string, string> s_llamaParts = new()
    {
        ["input_layernorm"] = "attn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.qkv_proj"] = "attn_qkv",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["self_attn.o_proj"] = "attn_output",
        ["post_attention_layernorm"] = "ffn_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.gate_up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
    };

    private static readonly Dictionary<string, string> s_gemmaParts = new(s_llamaParts)
    {
        ["post_attention_layernorm"] = "post_attention_norm",
        ["pre_feedforward_layernorm"] = "ffn_norm",
        ["post_feedforward_layernorm"] = "post_ffw_norm",
    };

    /// <summary>All that are read and written.</summary>
    public static IReadOnlyList<GgufFamily> All { get; } =
    [
        new()
        {
            Name = Llama, ModelType = Llama, Architecture = "LlamaForCausalLM", NeighboursRotate = true,
            Biases = Biases.Qkv | Biases.AttentionOut | Biases.FeedForward,
        },
        new() { Name = "qwen2", ModelType = "qwen2", Architecture = "Qwen2ForCausalLM", Biases = Biases.Qkv },
        new() { Name = Qwen3, ModelType = Qwen3, Architecture = "Qwen3ForCausalLM" },
        new()
        {
            Name = Gemma2, ModelType = Gemma2, Architecture = "Gemma2ForCausalLM", Parts = s_gemmaParts, NormsHaveOneMore = true,
            WindowPeriod = 2, LayersOfLargest = 46,
        },
        new()
        {
            Name = Gemma3, ModelType = "gemma3_text", Architecture = "Gemma3ForCausalLM", Parts = s_gemmaParts, NormsHaveOneMore = true,
            WindowPeriod = 6, LayersOfLargest = 62,
        },
        new() { Name = Phi3, ModelType = Phi3, Architecture = "Phi3ForCausalLM" },
    ];

    /// <summary>The names of all, for messages.</summary>
    public static string Names { get; } = string.Join(", ", All.Select(f => f.Name));

    /// <summary>In GGUF files.</summary>
    public required string Name { get; init; }

    /// <summary>model_type of configs.</summary>
    public required string ModelType { get; init; }

    /// <summary>The class that configs name.</summary>
    public required string Architecture { get; init; }

    /// <summary>Queries and keys have their rows in the order of neighbours.</summary>
    public bool NeighboursRotate { get; init; }

    /// <summary>Weights of norms are stored with one more than in folders.</summary>
    public bool NormsHaveOneMore { get; init; }

    /// <summary>Biases that readers take.</summary>
    public Biases Biases { get; init; }

    /// <summary>Of so many layers the last sees all that came before, the others a window; 1: readers know of no windows.</summary>
    public int WindowPeriod { get; init; } = 1;

    /// <summary>The number of layers by which readers know the one size whose scores are scaled by the width of a query's share.</summary>
    public int LayersOfLargest { get; init; }

    private Dictionary<string, string> Parts { get; init; } = s_llamaParts;

    /// <summary>The one of a GGUF file's general.architecture; null if there is none.</summary>
    public static GgufFamily? Named(string name) => All.FirstOrDefault(f => f.Name == name);

    /// <summary>The one of a model.</summary>
    /// <exception cref="UserErrorException">The format's readers have none for it, or this engine does not write it.</exception>
    public static GgufFamily Of(ModelConfig model)
    {
        string type = model.Origin.Family ?? (model.QkNorm ? Qwen3 : Llama);
        return All.FirstOrDefault(f => f.ModelType == type)
            ?? throw new UserErrorException(
                $"the model {model.Name} is of the type {type}, and GGUF files are written of these: {Names}; export a folder instead");
    }

    /// <summary>The factor of scores that readers suppose, as the number whose root divides: a config's query_pre_attn_scalar.</summary>
    public int ScoreDivisor(ModelConfig model) => ScoreDivisor(model.LayerCount, model.ModelDim, model.HeadCount, model.HeadDim);

    /// <summary>Likewise, of sizes.</summary>
    public int ScoreDivisor(int layers, int width, int heads, int headDim) => layers == LayersOfLargest ? width / heads : headDim;

    /// <summary>A tensor's name in GGUF files.</summary>
    /// <param name="name">In folders.</param>
    public string NameOf(string name)
    {
        int dot = name.LastIndexOf('.');
        var (stem, ending) = (name[..dot], name[dot..]);
        const string layers = "model.layers.";
        if (!stem.StartsWith(layers, StringComparison.Ordinal))
        {
            return (stem switch
            {
                "model.embed_tokens" => "token_embd",
                "model.norm" => "output_norm",
                "lm_head" => "output",
                _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no tensor of these families"),
            }) + ending;
        }

        string[] parts = stem[layers.Length..].Split('.', 2);
        return $"blk.{parts[0]}.{Parts[parts[1]]}{ending}";
    }

    /// <summary>What a tensor has otherwise than in folders.</summary>
    /// <param name="name">In folders.</param>
    public TensorChange ChangeOf(string name) =>
        NormsHaveOneMore && name.EndsWith("norm.weight", StringComparison.Ordinal) ? TensorChange.OneMore
        : NeighboursRotate && (name.Contains(".q_proj.", StringComparison.Ordinal) || name.Contains(".k_proj.", StringComparison.Ordinal))
            ? TensorChange.Neighbours
            : TensorChange.None;
}
