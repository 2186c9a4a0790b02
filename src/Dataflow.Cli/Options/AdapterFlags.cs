using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>The adapter that a model has, or that is trained in the place of the model.</summary>
internal sealed class AdapterFlags
{
    private const int DefaultRank = 16;

    private readonly Option<string?> folder = Declare.Option<string?>(
        "--adapter",
        "DIR",
        "use the adapter in this folder (adapter_config.json and adapter_model.safetensors, as PEFT has them), or that of a run's "
            + "checkpoints; training goes on with it",
        Values.FilePath
    );
    private readonly Option<DType?> stored = StoredOption(
        "what the layers' matrices are stored in, on host and device, where they stay as they are [default: bf16 where an adapter is "
            + "trained and the model's files have them so, else as --dtype says]"
    );
    private readonly Option<int?> rank = Declare.Option(
        "--lora-rank",
        "N",
        $"train an adapter of this rank, the model itself stays [default of adapters: {DefaultRank}]",
        Values.OptionalCount(1, AdapterConfig.MostRank)
    );
    private readonly Option<float?> alpha = Declare.Option<float?>(
        "--lora-alpha", "ALPHA", "what it adds is multiplied by alpha / rank [default: the rank]", t => Values.Real(0, 1e9, false)(t));
    private readonly Option<ModuleNames?> targets = Declare.Option<ModuleNames?>(
        "--lora-targets",
        "MODULES",
        "what it is of: names with commas between them (q_proj,v_proj), a regular expression for whole names, or all-linear: every matrix "
            + $"of the layers [default: {ModuleNames.AllLinearName}]",
        ModuleNames.Parse
    );
    private readonly Option<string[]?> parameters = Declare.Several(
        "--lora-parameters",
        "NAME",
        "and of tensors that hold the matrices of all experts, as mlp.experts.down_proj; may be given again",
        t => t
    );
    private readonly Option<ModuleNames?> excluded = Declare.Option<ModuleNames?>(
        "--lora-exclude", "MODULES", "and what it is not of, likewise", ModuleNames.Parse);
    private readonly Option<int[]?> layers = Declare.Option<int[]?>(
        "--lora-layers", "N,N", "layers whose modules are targets, from 0 [default: all]", t => [.. Numbers(t)]);
    private readonly Option<string?> layersPattern = Declare.Option<string?>(
        "--lora-layers-pattern", "NAME", "what stands before a layer's number in names of modules [default: anything]", t => t);
    private readonly Option<string[]?> ranks = Declare.Several(
        "--lora-rank-pattern", "PATTERN=N", "the rank of modules whose names end so (a regular expression); may be given again", Pair);
    private readonly Option<string[]?> alphas = Declare.Several(
        "--lora-alpha-pattern", "PATTERN=ALPHA", "their alpha, likewise", Pair);
    private readonly Option<string[]?> saved = Declare.Several(
        "--lora-save",
        "MODULE",
        "train modules whose names end so as a whole, besides; may be given again",
        t => t
    );
    private readonly Option<float?> dropout = Declare.Option<float?>(
        "--lora-dropout",
        "SHARE",
        "leave so much of its inputs out at random, as 0.05, by the seed [default: 0]",
        t => Values.Real(0, 1)(t)
    );
    private readonly Option<bool> rsLora = Declare.Flag("--lora-rslora", "multiply by alpha / sqrt(rank)");
    private readonly Option<bool> dora = Declare.Flag("--lora-dora", "train the lengths of the rows of each matrix apart (DoRA)");

    /// <summary>Adds them to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="train">Whether an adapter may be made.</param>
    public void AddTo(Command command, bool train)
    {
        command.Options.Add(folder);
        command.Options.Add(stored);
        foreach (var option in train ? New : [])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>The option of types of the base.</summary>
    /// <param name="description">What it says here.</param>
    public static Option<DType?> StoredOption(string description) => Declare.Option<DType?>(
        "--base-weights",
        "TYPE",
        $"{description}: {string.Join(", ", DTypes.OfBase.Select(t => t.Name()))}",
        t => Values.BaseWeights(t)
    );

    /// <summary>What the base is stored in; null: nothing was given.</summary>
    public DType? Stored(ParseResult parsed) => parsed.GetValue(stored);

    /// <summary>What was given; null: nothing.</summary>
    /// <exception cref="UserErrorException">It contradicts itself.</exception>
    public AdapterOptions? Bind(ParseResult parsed)
    {
        bool makes = parsed.CommandResult.Command.Options.Contains(rank) && Array.Exists(New, parsed.WasGiven);
        string? there = parsed.GetValue(folder);
        if (there is not null && makes)
        {
            throw new UserErrorException(
                $"--adapter says what the adapter is of, and so does {Array.Find(New, parsed.WasGiven)!.Name}; leave out one of the two"
            );
        }

        return there is not null ? new AdapterOptions { Folder = there }
            : makes ? new AdapterOptions { Config = Config(parsed) }
            : null;
    }

    private Option[] New =>
        [rank, alpha, targets, parameters, excluded, layers, layersPattern, ranks, alphas, saved, dropout, rsLora, dora];

    private AdapterConfig Config(ParseResult parsed)
    {
        int wanted = parsed.GetValue(rank) ?? DefaultRank;
        return new AdapterConfig
        {
            Rank = wanted,
            Alpha = parsed.GetValue(alpha) is { } given ? Decimal(given) : wanted,
            Targets = parsed.GetValue(targets) ?? ModuleNames.AllLinear,
            TargetParameters = [.. parsed.GetValue(parameters) ?? []],
            Excluded = parsed.GetValue(excluded),
            Layers = [.. parsed.GetValue(layers) ?? []],
            LayersPattern = parsed.GetValue(layersPattern) is { } pattern ? [pattern] : [],
            RankPattern = Pairs(parsed.GetValue(ranks)),
            AlphaPattern = Pairs(parsed.GetValue(alphas)),
            ModulesToSave = [.. parsed.GetValue(saved) ?? []],
            Dropout = parsed.GetValue(dropout) is { } share ? Decimal(share) : 0,
            UsesRsLora = parsed.GetValue(rsLora),
            UsesDora = parsed.GetValue(dora),
        };
    }

    /// <summary>As it was written.</summary>
    private static double Decimal(float number) =>
        double.Parse(number.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private static IEnumerable<int> Numbers(string text) => text.Split(',').Select(t => (int)Values.Whole(t.Trim(), 0, int.MaxValue));

    private static string Pair(string text) =>
        text.LastIndexOf('=') > 0 && double.TryParse(Value(text), NumberStyles.Float, CultureInfo.InvariantCulture, out _)
            ? text
            : throw new UserErrorException($"'{text}' will not do; give a pattern and a number, for example q_proj=8");

    private static ImmutableArray<KeyValuePair<string, double>> Pairs(string[]? texts) =>
        [
            .. (texts ?? []).Select(t =>
                KeyValuePair.Create(t[..t.LastIndexOf('=')], double.Parse(Value(t), NumberStyles.Float, CultureInfo.InvariantCulture))
            ),
        ];

    private static string Value(string text) => text[(text.LastIndexOf('=') + 1)..];
}
