using System.Collections.Immutable;
using System.Globalization;

namespace Dataflow.Model;

/// <summary>
/// What a LoRA adapter is of: W x + scale B (A x) in the place of W x (Hu et al., 2021), by the names and rules of PEFT's
/// adapter_config.json.
/// </summary>
public sealed record AdapterConfig
{
    /// <summary>The largest rank that is taken.</summary>
    public const int MostRank = 1 << 16;

    /// <summary>r of every module without one of its own: rows of A, columns of B.</summary>
    public required int Rank { get; init; }

    /// <summary>alpha of every module without one of its own; <see cref="ScaleOf"/> says what it does.</summary>
    public required double Alpha { get; init; }

    /// <summary>The modules that have an A and a B.</summary>
    public required ModuleNames Targets { get; init; }

    /// <summary>
    /// Tensors that hold the matrices of all experts and have an A and a B: whole names, or their endings after a dot, as
    /// "mlp.experts.down_proj".
    /// </summary>
    public ImmutableArray<string> TargetParameters { get; init; } = [];

    /// <summary>Modules that have none although they are targets.</summary>
    public ModuleNames? Excluded { get; init; }

    /// <summary>Ranks of modules that a pattern matches; of several patterns the first.</summary>
    public ImmutableArray<KeyValuePair<string, double>> RankPattern { get; init; } = [];

    /// <summary>alpha of modules, likewise.</summary>
    public ImmutableArray<KeyValuePair<string, double>> AlphaPattern { get; init; } = [];

    /// <summary>The scale is alpha / sqrt(r) (Kalajdzievski, 2023), not alpha / r.</summary>
    public bool UsesRsLora { get; init; }

    /// <summary>Rows of W + scale B A have a trained length (Liu et al., 2024).</summary>
    public bool UsesDora { get; init; }

    /// <summary>Layers whose modules are targets; empty: all.</summary>
    public ImmutableArray<int> Layers { get; init; } = [];

    /// <summary>What stands before a layer's number in the names of modules; empty: whatever comes before the first number.</summary>
    public ImmutableArray<string> LayersPattern { get; init; } = [];

    /// <summary>Endings of the names of modules that are trained as a whole.</summary>
    public ImmutableArray<string> ModulesToSave { get; init; } = [];

    /// <summary>The share of the inputs of A that training leaves out at random.</summary>
    public double Dropout { get; init; }

    /// <summary>The rank of a module.</summary>
    public int RankOf(string module) => (int)PatternOf(RankPattern, module, Rank);

    /// <summary>What B (A x) is multiplied by in a module.</summary>
    public double ScaleOf(string module)
    {
        int rank = RankOf(module);
        return PatternOf(AlphaPattern, module, Alpha) / (UsesRsLora ? Math.Sqrt(rank) : rank);
    }

    /// <summary>Whether a module that could have an A and a B has them.</summary>
    /// <param name="module">Its name in the model, as "model.layers.0.mlp.up_proj".</param>
    /// <param name="isInLayer">"all-linear" means it: a linear layer that is not the head.</param>
    public bool Means(string module, bool isInLayer)
    {
        if (Excluded is { } excluded && excluded.Mean(module))
        {
            return false;
        }

        if (Targets.MeansAllLinear || Targets.Pattern is not null || Targets.Names.Contains(module))
        {
            return Targets.MeansAllLinear ? isInLayer : Targets.Mean(module);
        }

        return Targets.Mean(module) && (Layers.IsEmpty || (LayerOf(module) is { } layer && Layers.Contains(layer)));
    }

    /// <summary>Whether a tensor that holds the matrices of all experts has an A and a B.</summary>
    public bool MeansParameter(string name) =>
        TargetParameters.Any(p => name == p || name.EndsWith("." + p, StringComparison.Ordinal));

    /// <summary>Whether a module, or one that it is in, is trained as a whole.</summary>
    public bool Saves(string module)
    {
        for (string at = module; at.Length > 0; at = at[..Math.Max(0, at.LastIndexOf('.'))])
        {
            if (ModulesToSave.Any(ending => at.EndsWith(ending, StringComparison.Ordinal)))
            {
                return true;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    public bool Equals(AdapterConfig? other) => other is not null && ToString() == other.ToString();

    /// <inheritdoc/>
    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    /// <summary>All of it as JSON in one line, which <see cref="AdapterConfigFile.Parse"/> reads.</summary>
    public override string ToString() => AdapterConfigFile.Compact(this);

    private static double PatternOf(ImmutableArray<KeyValuePair<string, double>> patterns, string module, double otherwise)
    {
        foreach (var (pattern, value) in patterns)
        {
            if (ModuleNames.Match(ModuleNames.Expression($@"(.*\.)?({pattern})"), module).Success)
            {
                return value;
            }
        }

        return otherwise;
    }

    /// <summary>The number of the layer that a module is in; null if its name has none.</summary>
    private int? LayerOf(string module)
    {
        foreach (string pattern in LayersPattern.IsEmpty ? ["[^.]*"] : LayersPattern)
        {
            var match = ModuleNames.Match(ModuleNames.Expression($@".*\.{pattern}\.(?<number>\d+)\..*"), module);
            string text = match.Groups["number"].Value;
            if (match.Success && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            {
                return number;
            }
        }

        return null;
    }
}
