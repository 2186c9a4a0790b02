using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Formats;

/// <summary>A model's config as the keys and small tensors of a GGUF file.</summary>
internal static class ConfigToGguf
{
    /// <summary>What a file says of a model besides its weights and its tokenizer.</summary>
    /// <param name="Values">The keys.</param>
    /// <param name="Factors">Tensors that stretch positions, by name.</param>
    public sealed record Description(
        IReadOnlyList<KeyValuePair<string, GgufValue>> Values, IReadOnlyDictionary<string, IReadOnlyList<float>> Factors);

    /// <summary>The description, from which the very model can be read back.</summary>
    /// <exception cref="UserErrorException">The format has no words for something that the model is.</exception>
    public static Description Of(ModelConfig model, GgufFamily family)
    {
        string a = family.Name;
        var values = new List<KeyValuePair<string, GgufValue>>();
        void Add(string key, GgufValue value) => values.Add(new($"{a}.{key}", value));
        Add("context_length", GgufValue.UInt32(Context(model)));
        Add("embedding_length", GgufValue.UInt32(model.ModelDim));
        Add("block_count", GgufValue.UInt32(model.LayerCount));
        Add("feed_forward_length", GgufValue.UInt32(model.FfnDim));
        Add("attention.head_count", GgufValue.UInt32(model.HeadCount));
        Add("attention.head_count_kv", GgufValue.UInt32(model.KvHeadCount));
        Add("attention.key_length", GgufValue.UInt32(model.HeadDim));
        Add("attention.value_length", GgufValue.UInt32(model.HeadDim));
        Add("attention.layer_norm_rms_epsilon", GgufValue.Float32(model.RmsNormEps));
        Add("rope.freq_base", GgufValue.Float32(model.RopeTheta));
        Add("rope.dimension_count", GgufValue.UInt32(model.RotaryDims ?? model.HeadDim));
        Add("vocab_size", GgufValue.UInt32(model.VocabSize));
        if (Window(model) is { } window)
        {
            Add("attention.sliding_window", GgufValue.UInt32(window));
        }
        else if (a == "phi3")
        {
            Add("attention.sliding_window", GgufValue.UInt32(0)); // its readers ask for the key
        }

        if (model.AttentionSoftcap is { } scores)
        {
            Add("attn_logit_softcapping", GgufValue.Float32(scores));
        }

        if (model.LogitSoftcap is { } logits)
        {
            Add("final_logit_softcapping", GgufValue.Float32(logits));
        }

        var factors = Stretch(model, model.RopeScaling, Add);
        var made = new Description(values, factors);
        Check(model, family, made);
        return made;
    }

    private static Dictionary<string, IReadOnlyList<float>> Stretch(
        ModelConfig model, RotaryScaling? scaling, Action<string, GgufValue> add)
    {
        var factors = new Dictionary<string, IReadOnlyList<float>>();
        switch (scaling)
        {
            case { Kind: RotaryScalingKind.Linear }:
                add("rope.scaling.type", new GgufValue.Text("linear"));
                add("rope.scaling.factor", GgufValue.Float32(scaling.Factor));
                break;
            case { Kind: RotaryScalingKind.Yarn }:
                add("rope.scaling.type", new GgufValue.Text("yarn"));
                add("rope.scaling.factor", GgufValue.Float32(scaling.Factor));
                add("rope.scaling.original_context_length", GgufValue.UInt32(scaling.OriginalPositions));
                break;
            case { Kind: RotaryScalingKind.Llama3 }:
                factors[GgufPositions.Stretches] = Llama3Stretch.Of(scaling, model.RopeTheta, model.HeadDim);
                break;
            case { Kind: RotaryScalingKind.LongRope, ShortFactors: { } shorts, LongFactors: { } longs }:
                add("rope.scaling.original_context_length", GgufValue.UInt32(scaling.OriginalPositions));
                add("rope.scaling.attn_factor", GgufValue.Float32(scaling.AttentionFactor));
                factors[GgufPositions.LongFactors] = [.. longs.Values.Select(f => (float)f)];
                factors[GgufPositions.ShortFactors] = [.. shorts.Values.Select(f => (float)f)];
                break;
        }

        return factors;
    }

    /// <summary>
    /// Read back, the keys must say this model: whatever they have no words for (windows in other layers, biases, another stretch of
    /// positions) is refused by that, rather than lost in a file that others would read as another model.
    /// </summary>
    private static void Check(ModelConfig model, GgufFamily family, Description made)
    {
        var wanted = Comparable(model);
        if ((model.Biases & ~family.Biases) != 0)
        {
            throw Refused(model, family, $"biases ({model.Biases & ~family.Biases})");
        }

        IReadOnlyList<long>? Shape(string name) => name switch
        {
            "token_embd.weight" => [model.VocabSize, model.ModelDim],
            "output.weight" when !model.TiedEmbedding => [model.VocabSize, model.ModelDim],
            "blk.0.attn_q.bias" when model.Biases.HasFlag(Biases.Qkv) => [model.QueryDim],
            "blk.0.ffn_up.bias" when model.Biases.HasFlag(Biases.FeedForward) => [model.FfnDim],
            _ => null,
        };
        var metadata = new GgufMetadata(
            model.Name, [new("general.architecture", new GgufValue.Text(family.Name)), .. made.Values]);
        string json;
        try
        {
            json = new ConfigFromGguf(metadata, Shape, made.Factors).Write("float32");
        }
        catch (UserErrorException e)
        {
            throw Refused(model, family, e.Message[(model.Name.Length + 2)..]);
        }

        var read = Comparable(ModelConfigReader.Parse(json, model.Name));
        if (read != wanted)
        {
            throw Refused(model, family, Difference(wanted, read));
        }
    }

    private static UserErrorException Refused(ModelConfig model, GgufFamily family, string what) =>
        new($"the model {model.Name} cannot be written as GGUF, whose {family.Name} has no words for what it has: {what}; export a folder "
            + "instead");

    /// <summary>The first property in which two differ.</summary>
    private static string Difference(ModelConfig wanted, ModelConfig read)
    {
        var property = typeof(ModelConfig).GetProperties()
            .First(p => p.SetMethod is not null && !Equals(p.GetValue(wanted), p.GetValue(read)));
        return property.Name switch
        {
            nameof(ModelConfig.Pattern) when wanted.SharesKv => "layers that share keys and values",
            nameof(ModelConfig.Pattern) when wanted.HasStates => "layers with a convolution or a state in place of attention",
            nameof(ModelConfig.Pattern) when wanted.HasExperts => "mixtures of experts",
            nameof(ModelConfig.Pattern) => "attention windows in other layers, or positions of their own",
            nameof(ModelConfig.RopeScaling) => "this stretch of positions",
            var name => $"{name} {property.GetValue(wanted)}",
        };
    }

    /// <summary>
    /// As far as the format can say it: numbers in fp32, of Llama 3's stretch what follows from it, the scale of scores in the weights
    /// (<see cref="ScoreScale"/>), and padding with the tokenizer.
    /// </summary>
    private static ModelConfig Comparable(ModelConfig model) => model with
    {
        AttentionScale = null,
        PaddingId = null,
        MaxPositions = Context(model),
        RopeTheta = (float)model.RopeTheta,
        AttentionSoftcap = (float?)model.AttentionSoftcap,
        LogitSoftcap = (float?)model.LogitSoftcap,
        RopeScaling = Comparable(model, model.RopeScaling),
        Pattern = model.Pattern is { } pattern
            ? new LayerPattern([.. pattern.Kinds.Select(k => k with
            {
                Positions = k.Positions is { } own ? own with { Theta = (float)own.Theta, Scaling = Comparable(model, own.Scaling) } : null,
            })])
            : null,
    };

    private static RotaryScaling? Comparable(ModelConfig model, RotaryScaling? scaling) => scaling switch
    {
        null => null,
        { Kind: RotaryScalingKind.Llama3 } => new(scaling.Kind, 0)
        {
            // Numbers that divide alike are alike, to the rounding of fp32.
            ShortFactors = new(
                [.. Llama3Stretch.Of(scaling, model.RopeTheta, model.HeadDim).Select(f => Math.Round(f, 4))]),
        },
        _ => scaling with
        {
            Factor = scaling.Kind == RotaryScalingKind.LongRope ? 0 : (float)scaling.Factor,
            AttentionFactor = (float)scaling.AttentionFactor,
            ShortFactors = Rounded(scaling.ShortFactors),
            LongFactors = Rounded(scaling.LongFactors),
        },
    };

    private static FactorList? Rounded(FactorList? list) =>
        list is null ? null : new([.. list.Values.Select(v => (double)(float)v).ToImmutableArray()]);

    private static int Context(ModelConfig model) => model.MaxPositions ?? 2048;

    private static int? Window(ModelConfig model) => model.Kinds.Select(k => k.Window).FirstOrDefault(w => w is not null);
}
