using System.Globalization;

namespace Dataflow.Model;

/// <summary>
/// What a <see cref="ModelConfig"/> may hold. The upper bounds are far above any model that exists; they keep every count of
/// elements and bytes inside 64 bits and turn a slip of the keyboard into a message instead of an absurd plan.
/// </summary>
internal static class ModelConfigLimits
{
    /// <summary>Most rows of the embedding table.</summary>
    public const int VocabSize = 1 << 24;

    /// <summary>Most blocks.</summary>
    public const int LayerCount = 10_000;

    /// <summary>Most experts of a layer.</summary>
    public const int MostExperts = 512;

    /// <summary>Most tokens that a convolution is over.</summary>
    public const int MostTaps = 16;

    /// <summary>Largest ModelDim, FfnDim, QueryDim and KvDim.</summary>
    public const int Dim = 1 << 20;

    /// <summary>Widest head that the attention kernels take.</summary>
    public const int HeadDim = 512;

    /// <summary>Widest key or value of a head's state.</summary>
    public const int StateDim = 256;

    /// <summary>Longest name, in characters.</summary>
    public const int NameLength = 200;

    /// <summary>Stands for a whole number whose fault is reported already (for other numbers: NaN); it is not checked again.</summary>
    public const int Unknown = int.MinValue;

    /// <summary>
    /// Everything wrong with a config, one phrase per fault, empty if it is valid. <paramref name="keyOf"/> says what the user's file
    /// calls a property of <see cref="ModelConfig"/>.
    /// </summary>
    public static IReadOnlyList<string> Faults(ModelConfig config, Func<string, string> keyOf)
    {
        var faults = new List<string>();
        Size(nameof(config.VocabSize), config.VocabSize, VocabSize);
        Size(nameof(config.ModelDim), config.ModelDim, Dim);
        Size(nameof(config.LayerCount), config.LayerCount, LayerCount);
        Size(nameof(config.HeadCount), config.HeadCount, Dim);
        Size(nameof(config.KvHeadCount), config.KvHeadCount, Dim);
        Size(nameof(config.HeadDim), config.HeadDim, HeadDim);
        if (config.Pattern is not { HasExperts: true })
        {
            Size(nameof(config.FfnDim), config.FfnDim, Dim); // otherwise that of each kind of layer says more
        }

        if (config.Pattern is { } pattern)
        {
            PatternFaults(config, pattern, keyOf, faults);
        }

        if (config.Latent is { } latent)
        {
            LatentFaults(latent, faults);
        }

        if (config.BalanceWeight < 0)
        {
            faults.Add($"router_aux_loss_coef must not be below 0, found {Number(config.BalanceWeight)}");
        }

        if (config.UnitLimit <= 0)
        {
            faults.Add($"swiglu_limit must be above 0, found {Number(config.UnitLimit.Value)}");
        }

        if (config.MaxPositions is { } positions)
        {
            Size(nameof(config.MaxPositions), positions, int.MaxValue);
        }

        string headDim = keyOf(nameof(config.HeadDim));
        string heads = keyOf(nameof(config.HeadCount));
        string kvHeads = keyOf(nameof(config.KvHeadCount));
        if (config.HeadDim > 0 && config.HeadDim % 2 != 0)
        {
            faults.Add($"{headDim} is {config.HeadDim}, and must be even because rotary positions turn pairs");
        }

        if (config is { HeadCount: > 0, KvHeadCount: > 0 } && config.HeadCount % config.KvHeadCount != 0)
        {
            faults.Add($"{heads} {config.HeadCount} is not a multiple of {kvHeads} {config.KvHeadCount}");
        }

        if (config is { HeadCount: > 0 and <= Dim, HeadDim: > 0 and <= HeadDim } && (long)config.HeadCount * config.HeadDim > Dim)
        {
            faults.Add($"{heads} x {headDim} is {(long)config.HeadCount * config.HeadDim}, above the most supported, {Dim}");
        }

        if (double.IsInfinity(config.RopeTheta) || config.RopeTheta <= 0)
        {
            faults.Add($"{keyOf(nameof(config.RopeTheta))} must be a positive number, found {Number(config.RopeTheta)}");
        }

        if (config.RmsNormEps is <= 0 or >= 1)
        {
            faults.Add(
                $"{keyOf(nameof(config.RmsNormEps))} must be above 0 and below 1 in single precision, found {Number(config.RmsNormEps)}"
            );
        }

        if (config.Name.Length is 0 or > NameLength || config.Name.Any(char.IsControl))
        {
            faults.Add($"{keyOf(nameof(config.Name))} must have 1 to {NameLength} characters and no control characters");
        }

        return faults;

        void Size(string property, int value, int most)
        {
            if (value != Unknown && (value < 1 || value > most))
            {
                faults.Add($"{keyOf(property)} must be from 1 to {most}, found {value}");
            }
        }
    }

    private static void PatternFaults(ModelConfig config, LayerPattern pattern, Func<string, string> keyOf, List<string> faults)
    {
        var (layers, ffnDim) = (keyOf(nameof(config.Pattern)), keyOf(nameof(config.FfnDim)));
        if (config.LayerCount > 0 && pattern.Kinds.Length > config.LayerCount)
        {
            faults.Add($"{layers} lists {pattern.Kinds.Length} kinds of layers for {config.LayerCount} layers");
        }

        if (pattern.Kinds[0].SharesKv)
        {
            faults.Add($"the first of {layers} has shares_kv, and no layer below it has keys and values that it could read");
        }

        if (pattern is { SharesKv: true, HasStates: true })
        {
            faults.Add($"{layers} has layers with shares_kv and layers with a state, which one model cannot have both of");
        }

        foreach (var kind in pattern.Kinds)
        {
            if (kind.Heads is { } heads)
            {
                HeadFaults(heads, layers, faults);
            }

            if (kind.ConvolutionTaps is (< 2 or > MostTaps) and not Unknown)
            {
                faults.Add($"the convolution of {layers} must have from 2 to {MostTaps} taps, found {kind.ConvolutionTaps}");
            }

            if (kind is { Attends: false, Window: not null })
            {
                faults.Add($"{layers} has a layer with a convolution and a window, and without attention there is no window");
            }

            if (kind.Recurrence is { } recurrence)
            {
                RecurrenceFaults(recurrence, layers, faults);
            }

            if (kind.Experts is { } experts)
            {
                ExpertFaults(experts, faults);
            }

            int least = kind.Experts is null && kind.HasFeedForward ? 1 : 0;
            if (kind.FfnDim != Unknown && (kind.FfnDim < least || kind.FfnDim > Dim))
            {
                faults.Add($"{ffnDim} of {layers} must be from 1 to {Dim}, found {kind.FfnDim}");
            }

            if (kind.Window is < 1 and not Unknown)
            {
                faults.Add($"window of {layers} must be at least 1, found {kind.Window}");
            }

            if (kind is { FrozenType: { } type, Frozen: false })
            {
                faults.Add($"{layers} has a layer with frozen_dtype {type.Name()} that is not frozen, and only frozen layers have one");
            }

            if (kind.FrozenType is { } stored && Cut(config, kind, stored) is { } elements)
            {
                faults.Add(
                    $"{layers} has a layer with frozen_dtype {stored.Name()}, in which {stored.ElementsPerScale()} elements of a matrix "
                        + $"share a scale, and a matrix of {elements} elements, which is no multiple of that: leave its frozen_dtype out"
                );
            }
        }

        int widest = pattern.Kinds.Max(k => k.WidestFfn);
        if (config.FfnDim > 0 && widest > 0 && config.FfnDim != widest)
        {
            faults.Add($"{ffnDim} is {config.FfnDim}, and the widest of {layers} has {widest}");
        }
    }

    private static void HeadFaults(LayerHeads heads, string layers, List<string> faults)
    {
        // The number of query heads is that of the model.
        if (heads.HeadDim != Unknown && (heads.HeadDim is < 2 or > HeadDim || heads.HeadDim % 2 != 0))
        {
            faults.Add($"{layers} has heads of {heads.HeadDim}, and they must be even and from 2 to {HeadDim} wide");
        }
        else if (heads is { Heads: > 0, HeadDim: > 0 } && (long)heads.Heads * heads.HeadDim > Dim)
        {
            faults.Add($"{layers} has {heads.Heads} heads of {heads.HeadDim}, together above the most supported, {Dim}");
        }

        if (heads.KvHeads != Unknown && (heads.KvHeads < 1 || (heads.Heads > 0 && heads.Heads % heads.KvHeads != 0)))
        {
            faults.Add($"{layers} has {heads.KvHeads} key and value heads, and {heads.Heads} query heads are no multiple of that");
        }
    }

    private static void ExpertFaults(ExpertMixture experts, List<string> faults)
    {
        Within("experts", experts.Count, MostExperts);
        Within("experts of a token", experts.PerToken, experts.Count is > 0 and <= MostExperts ? experts.Count : MostExperts);
        Within("width of an expert", experts.Dim, Dim);
        GroupFaults(experts, faults);

        void Within(string what, int value, int most)
        {
            string fault = $"{what} must be from 1 to {most}, found {value}";
            if (value != Unknown && (value < 1 || value > most) && !faults.Contains(fault))
            {
                faults.Add(fault);
            }
        }
    }

    private static void GroupFaults(ExpertMixture experts, List<string> faults)
    {
        var (groups, perToken) = (experts.Groups, experts.GroupsPerToken);
        if (groups == Unknown || perToken == Unknown || experts is { Groups: 1, GroupsPerToken: 1 } || experts.Count < 1)
        {
            return;
        }

        int least = experts.Score == RouterScore.Sigmoid ? 2 : 1;
        string? fault = groups < 1 || experts.Count % groups != 0 || experts.Count / groups < least
                ? $"n_group is {groups}, and {experts.Count} experts are to lie in groups of equal size, of at least {least}"
            : perToken < 1 || perToken > groups ? $"topk_group must be from 1 to {groups}, found {perToken}"
            : experts.PerToken > perToken * (experts.Count / groups)
                ? $"a token has {experts.PerToken} experts, and {perToken} groups of {experts.Count / groups} have fewer"
            : null;
        if (fault is not null && !faults.Contains(fault))
        {
            faults.Add(fault);
        }
    }

    private static void LatentFaults(LatentAttention of, List<string> faults)
    {
        Within("q_lora_rank", of.QueryRank ?? 1, even: false);
        Within("kv_lora_rank", of.KvRank, even: false);
        Within("qk_nope_head_dim", of.PlainDim, even: true);
        Within("qk_rope_head_dim", of.RotatedDim, even: true);
        Within("v_head_dim", of.ValueDim, even: false);
        if (of is { PlainDim: > 0 and <= Dim, RotatedDim: > 0 and <= Dim } && of.ValueDim > of.KeyDim)
        {
            faults.Add(
                $"v_head_dim is {of.ValueDim}, and values that are wider than keys, qk_nope_head_dim + qk_rope_head_dim {of.KeyDim}, are "
                    + "not supported"
            );
        }

        void Within(string key, int value, bool even)
        {
            if (value != Unknown && (value < 1 || value > Dim || (even && value % 2 != 0)))
            {
                faults.Add($"{key} must be {(even ? "even and " : "")}from 1 to {Dim}, found {value}");
            }
        }
    }

    private static void RecurrenceFaults(Recurrence of, string layers, List<string> faults)
    {
        var (keyHeads, heads, keyDim, valueDim, taps) = of.Corrects
            ? ("linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim", "linear_conv_kernel_dim")
            : ("mamba_n_groups", "mamba_n_heads", "mamba_d_state", "mamba_d_head", "mamba_d_conv");
        Between(keyHeads, of.KeyHeads, 1, Dim);
        Between(heads, of.Heads, 1, Dim);
        Between(keyDim, of.KeyDim, 1, StateDim);
        Between(valueDim, of.ValueDim, 1, StateDim);
        Between(taps, of.Taps, 2, MostTaps);
        if (of is { KeyHeads: > 0, Heads: > 0 } && of.Heads % of.KeyHeads != 0)
        {
            faults.Add($"{heads} {of.Heads} is not a multiple of {keyHeads} {of.KeyHeads}");
        }

        void Between(string key, int value, int least, int most)
        {
            if (value != Unknown && (value < least || value > most))
            {
                faults.Add($"{key} of {layers} must be from {least} to {most}, found {value}");
            }
        }
    }

    /// <summary>The elements of a layer's matrix that are no whole blocks of a type, as "100 x 36"; null: all are.</summary>
    private static string? Cut(ModelConfig config, LayerKind kind, DType type)
    {
        (int Rows, int Columns)[] matrices =
        [
            (config.HeadsOf(kind).QueryDim, config.ModelDim), (config.HeadsOf(kind).KvDim, config.ModelDim), (kind.FfnDim, config.ModelDim),
        ];
        int block = type.ElementsPerScale();
        var cut = Array.Find(matrices, m => m is { Rows: > 0 and <= Dim, Columns: > 0 } && (long)m.Rows * m.Columns % block != 0);
        return cut == default ? null : $"{cut.Rows} x {cut.Columns}";
    }

    private static string Number(double value) => value.ToString(CultureInfo.InvariantCulture);
}
