using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>The facts that a planned schedule states of its step, read back as the workload that it is for.</summary>
public static class StepFacts
{
    private static readonly string[] Names =
    [
        "model",
        "recipe",
        "kind",
        "seqlen",
        "rows",
        "chunk_tokens",
        "chunks_per_round",
        "rounds_per_step",
        "head_tokens",
        "vocabulary_blocks",
    ];
    private const string OptimizerName = "optimizer";
    private const string CacheName = "cache";
    private const string FrozenName = "frozen";
    private const string AdapterName = "adapter";
    private const string BaseName = "base_weights";
    private const string BalanceName = "router_balance";
    private const string RouterZName = "router_z_loss";
    private const string WeightsName = "target_weights";
    private const string Weighted = "fp32";
    private const string PairsName = "pairs";
    private const string Compared = "fp64";
    private const string AttentionName = "attention";
    private const string ByCudnn = "cudnn ";
    private const string ExpertsName = "expert_groups";
    private const char Between = 'x';

    /// <summary>The optimizer as a fact; AdamW, the first that there was, goes without saying.</summary>
    public static IEnumerable<KeyValuePair<string, string>> OptimizerOf(Workload workload) =>
        workload.Optimizer == Optimizer.AdamW ? [] : [new(OptimizerName, workload.Optimizer.Name)];

    /// <summary>What training leaves as it is, by patterns of names, where it is a choice of the run and not the model's own.</summary>
    public static IEnumerable<KeyValuePair<string, string>> FrozenOf(Workload workload) =>
        workload.Model.Frozen is { } frozen ? [new(FrozenName, frozen.Patterns)] : [];

    /// <summary>By what the losses of routers count, where that is a choice of the run.</summary>
    public static IEnumerable<KeyValuePair<string, string>> RouterOf(Workload workload)
    {
        if (workload.Model.AskedBalanceWeight is { } weight)
        {
            yield return new(BalanceName, Text(weight));
        }

        if (workload.Model.RouterZWeight is > 0 and var z)
        {
            yield return new(RouterZName, Text(z));
        }
    }

    /// <summary>What the model's adapter is of, as adapter_config.json says it, in one line.</summary>
    public static IEnumerable<KeyValuePair<string, string>> AdapterOf(Workload workload) =>
        workload.Model.Adapter is { } adapter ? [new(AdapterName, adapter.Text)] : [];

    /// <summary>What matrices of layers are stored in that stay as they are, where it is a choice of the run.</summary>
    public static IEnumerable<KeyValuePair<string, string>> BaseOf(Workload workload) =>
        workload.Model.BaseWeights is { } type ? [new(BaseName, type.Name())] : [];

    /// <summary>
    /// What is kept of sequences that are continued, and how many tokens' logits may be asked for: "4096x8"; with the rows of each
    /// sequence, where these have states: "4096x8x1024".
    /// </summary>
    public static IEnumerable<KeyValuePair<string, string>> CacheOf(Workload workload) =>
        workload.Geometry.Cache is not { } cache ? []
        : [new(CacheName, string.Join(Between, Numbers(cache).Select(n => n.ToString(CultureInfo.InvariantCulture))))];

    private static IEnumerable<int> Numbers(CacheShape cache) =>
        cache.SequenceRows is { } rows ? [cache.Rows, cache.Logits, rows] : [cache.Rows, cache.Logits];

    /// <summary>The type of the targets' weights, where they have some.</summary>
    public static IEnumerable<KeyValuePair<string, string>> WeightsOf(Workload workload) =>
        workload.Geometry.TargetWeights ? [new(WeightsName, Weighted)] : [];

    /// <summary>The type in which pairs of documents are compared, where documents are pairs.</summary>
    public static IEnumerable<KeyValuePair<string, string>> PairsOf(Workload workload) =>
        workload.Geometry.Pairs ? [new(PairsName, Compared)] : [];

    /// <summary>Who computes attention, where it is not our own kernels alone: "cudnn 9.28.1 sm90".</summary>
    public static IEnumerable<KeyValuePair<string, string>> AttentionOf(Workload workload) =>
        workload.Geometry.Cudnn is { } target ? [new(AttentionName, ByCudnn + target)] : [];

    /// <summary>The groups that experts lie in as objects of their own, where they do.</summary>
    public static IEnumerable<KeyValuePair<string, string>> ExpertsOf(Workload workload) =>
        workload.Geometry.ExpertGroups is { } groups ? [new(ExpertsName, groups.ToString(CultureInfo.InvariantCulture))] : [];

    /// <summary>The name of the model that a schedule is for; null if it does not say.</summary>
    public static string? ModelOf(Schedule schedule) => schedule.Facts.FirstOrDefault(f => f.Key == "model").Value;

    /// <summary>What is wrong with the facts of a schedule, null if nothing is; then the workload is there.</summary>
    /// <param name="schedule">The schedule with its facts.</param>
    /// <param name="model">The model that the schedule is to be for.</param>
    /// <param name="workload">What the facts say; null where they are wrong.</param>
    public static string? Read(Schedule schedule, ModelConfig model, out Workload? workload)
    {
        workload = null;
        string[] mayBe =
        [
            OptimizerName, CacheName, FrozenName, AdapterName, BaseName, BalanceName, RouterZName, WeightsName, PairsName, AttentionName,
            ExpertsName,
        ];
        var optional = schedule.Facts.Where(f => mayBe.Contains(f.Key)).ToList();
        var named = schedule.Facts.Except(optional).Select(f => f.Key);
        if (
            optional.DistinctBy(f => f.Key).Count() != optional.Count
            || optional.Any(f => f.Key == OptimizerName && f.Value == Optimizer.AdamW.Name)
            || optional.Any(f => f.Key == WeightsName && f.Value != Weighted)
            || optional.Any(f => f.Key == PairsName && f.Value != Compared)
            || !named.Order(StringComparer.Ordinal).SequenceEqual(Names.Order(StringComparer.Ordinal))
        )
        {
            return $"the facts of a step are {string.Join(", ", Names)}, each once, {OptimizerName} if it is not {Optimizer.AdamW}, "
                + $"{FrozenName} where tensors are frozen, {AdapterName} where there is one, {BaseName} where that is not the "
                + $"recipe's type, {BalanceName} and {RouterZName} where the run chose them, {CacheName} where sequences are continued, "
                + $"{WeightsName} {Weighted} where targets have weights, "
                + $"{PairsName} {Compared} where documents are pairs, {AttentionName} where it is not by our own kernels, and "
                + $"{ExpertsName} where experts lie in groups";
        }

        var facts = schedule.Facts.ToDictionary(f => f.Key, f => f.Value);
        if (facts["model"] != model.Name)
        {
            return $"the schedule is of the model {facts["model"]}, not of {model.Name}";
        }

        string? odd = Balance(facts.GetValueOrDefault(BalanceName), ref model);
        odd ??= RouterZ(facts.GetValueOrDefault(RouterZName), ref model);
        odd ??= Frozen(facts.GetValueOrDefault(FrozenName), ref model);
        odd ??= Adapter(facts.GetValueOrDefault(AdapterName), ref model);
        if ((odd ?? Base(facts.GetValueOrDefault(BaseName), ref model)) is { } unlike)
        {
            return unlike;
        }

        if (Recipe.All.FirstOrDefault(r => r.Name == facts["recipe"]) is not { } recipe)
        {
            return $"{facts["recipe"]} is no recipe; {string.Join(", ", Recipe.All.Select(r => r.Name))} are";
        }

        if (Optimizer.Named(facts.GetValueOrDefault(OptimizerName, Optimizer.AdamW.Name)) is not { } optimizer)
        {
            return $"{facts[OptimizerName]} is no optimizer; {string.Join(", ", Optimizer.All)} are";
        }

        if (!Enum.TryParse(facts["kind"], out WorkloadKind kind) || kind.ToString() != facts["kind"])
        {
            return $"{facts["kind"]} is no kind of step; {string.Join(", ", Enum.GetNames<WorkloadKind>())} are";
        }

        int[] numbers = new int[Names.Length - 3];
        for (int i = 0; i < numbers.Length; i++)
        {
            string name = Names[i + 3],
                text = facts[name];
            if (
                !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i])
                || numbers[i].ToString(CultureInfo.InvariantCulture) != text
            )
            {
                return $"{name} {text} is no number of a step";
            }
        }

        CacheShape? cache = null;
        if ((kind == WorkloadKind.Generation) != facts.ContainsKey(CacheName)
            || (facts.TryGetValue(CacheName, out string? shape) && (cache = Cache(shape)) is null))
        {
            return $"a step of kind {WorkloadKind.Generation}, and no other, has the fact {CacheName}: the rows of the cache and those of "
                + "logits, like 4096x8";
        }

        CudnnTarget? cudnn = null;
        if (facts.TryGetValue(AttentionName, out string? by)
            && (!by.StartsWith(ByCudnn, StringComparison.Ordinal) || (cudnn = CudnnTarget.Parse(by[ByCudnn.Length..])) is null))
        {
            return $"attention is by {ByCudnn}and its release and GPU, like {ByCudnn}9.28.1 sm90, not by {by}";
        }

        int groups = 0;
        if (facts.TryGetValue(ExpertsName, out string? cut)
            && (!int.TryParse(cut, NumberStyles.None, CultureInfo.InvariantCulture, out groups) || groups < 1
                || groups.ToString(CultureInfo.InvariantCulture) != cut))
        {
            return $"{ExpertsName} {cut} is no number of groups";
        }

        var geometry = new Geometry(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6])
        {
            Cache = cache,
            TargetWeights = facts.ContainsKey(WeightsName),
            Pairs = facts.ContainsKey(PairsName),
            Cudnn = cudnn,
            ExpertGroups = groups > 0 ? groups : null,
        };
        workload = new Workload(model, recipe, geometry, kind) { Optimizer = optimizer };
        return GeometryLimits.Fault(geometry, model);
    }

    /// <summary>Balances as the schedule says, unless the model does so already; or what is wrong with that.</summary>
    private static string? Balance(string? text, ref ModelConfig model)
    {
        if (model.AskedBalanceWeight is { } asked)
        {
            return Text(asked) == text ? null : $"the schedule has {BalanceName} {text ?? "of the file"}, not {Text(asked)}";
        }

        if (text is null)
        {
            return null;
        }

        return OfWeight(BalanceName, text, model.Balancing, ref model);
    }

    /// <summary>The same of the router z-loss.</summary>
    private static string? RouterZ(string? text, ref ModelConfig model) =>
        model.RouterZWeight is > 0 and var asked && text != Text(asked)
            ? $"the schedule has {RouterZName} {text ?? "of 0"}, not {Text(asked)}"
        : text is null ? null
        : OfWeight(RouterZName, text, model.WithRouterZLoss, ref model);

    private static string? OfWeight(string name, string text, Func<double?, ModelConfig> with, ref ModelConfig model)
    {
        if (!double.TryParse(text, CultureInfo.InvariantCulture, out double weight) || Text(weight) != text || !(weight >= 0))
        {
            return $"{name} {text} is no weight of a loss";
        }

        try
        {
            model = with(weight);
            return null;
        }
        catch (UserErrorException e)
        {
            return e.Message;
        }
    }

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>Freezes what the schedule says, unless the model is so already; or what is wrong with that.</summary>
    private static string? Frozen(string? patterns, ref ModelConfig model)
    {
        if (model.Frozen is { } frozen)
        {
            return frozen.Patterns == patterns ? null : $"the schedule freezes {patterns ?? "nothing"}, not {frozen.Patterns}";
        }

        try
        {
            model = patterns is null ? model : model.Freezing([patterns]);
            return null;
        }
        catch (UserErrorException e)
        {
            return e.Message;
        }
    }

    /// <summary>Gives the model the adapter of the schedule, unless it has that; or what is wrong with it.</summary>
    private static string? Adapter(string? text, ref ModelConfig model)
    {
        if (model.Adapter is { } adapter)
        {
            return adapter.Text == text ? null : $"the schedule has {text ?? "no adapter"}, not {adapter.Text}";
        }

        try
        {
            model = text is null ? model : model.Adapting(AdapterConfigFile.Parse(text, $"the fact {AdapterName}"));
            return null;
        }
        catch (UserErrorException e)
        {
            return e.Message;
        }
    }

    /// <summary>Stores the model's matrices as the schedule says, unless they are so; or what is wrong with that.</summary>
    private static string? Base(string? name, ref ModelConfig model)
    {
        if (model.BaseWeights is { } stored)
        {
            return stored.Name() == name ? null : $"the schedule has {name ?? "no"} {BaseName}, not {stored.Name()}";
        }

        try
        {
            var known = DTypes.OfBase.Where(t => t.Name() == name).ToList();
            model = known.Count > 0 ? model.Storing(known[0]) : model;
            return name is null || known.Count > 0 ? null : $"{name} is no type of {BaseName}";
        }
        catch (UserErrorException e)
        {
            return e.Message;
        }
    }

    private static CacheShape? Cache(string text)
    {
        int?[] numbers = [.. text.Split(Between).Select(Number)];
        return numbers switch
        {
            [{ } rows, { } logits] => new CacheShape(rows, logits),
            [{ } rows, { } logits, { } each] => new CacheShape(rows, logits) { SequenceRows = each },
            _ => null,
        };

        static int? Number(string text) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && number.ToString(CultureInfo.InvariantCulture) == text ? number : null;
    }
}
