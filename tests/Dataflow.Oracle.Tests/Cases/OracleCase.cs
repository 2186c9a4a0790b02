using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Oracle.Tests;

/// <summary>
/// A small model and its training, random by a seed. One seed in ten is so small, and of such widths, that the emulated device runs it,
/// too.
/// </summary>
public sealed class OracleCase
{
    /// <summary>Steps that are trained, each on rows of its own.</summary>
    public const int Steps = 3;

    /// <summary>Of seeds whose case every device runs.</summary>
    public const int SmallestEvery = 10;

    // Of a generator of their own: the rest of a seed's case stays what it was before there were weights.
    private const int WeightsSeed = 0x5eed;

    private static readonly Recipe[] s_bf16Recipes = [Recipe.Bf16, Recipe.Bf16Stochastic, Recipe.Bf16Master];

    /// <summary>The case of that seed.</summary>
    public OracleCase(int seed)
        : this(seed, WithLayers)
    {
    }

    private OracleCase(int seed, Func<Random, ModelConfig, ModelConfig> withLayers)
    {
        Seed = seed;
        var random = new Random(seed);
        bool smallest = seed % SmallestEvery == 0;
        Model = withLayers(new Random(~seed), RandomModel(random, smallest));
        Seqlen = smallest ? random.Next(6, 14) : random.Next(8, 49);
        RowsPerStep = random.Next(1, smallest ? 3 : 5);
        Rows = [.. RandomRows.Of(random, Model.VocabSize, Seqlen, Steps * RowsPerStep)];
        if (random.Next(4) == 0)
        {
            // A token that is there.
            Model = Model with { PaddingId = Rows[0].Tokens[1] };
        }

        (Rows, DividesByWeights) = Weighted(new Random(seed ^ WeightsSeed), Rows, Seqlen);
        Weights = RandomWeights.Of(random, Model);
        AdamW = RandomAdamW(random);
        ClipNorm = random.Next(2) == 0 ? Math.ScaleB(1, -random.Next(1, 4)) : null;
        Bf16 = s_bf16Recipes[random.Next(s_bf16Recipes.Length)];
        Saved = random.Next(2) == 0 ? (SaveSet)random.Next((int)SaveSet.All + 1) : null;
        Share = random.Next(2) == 0 ? 0 : random.NextDouble();
        Pins = Model.HasExperts ? new GeometryPins(Seqlen, Rounds: random.Next(2) == 0 ? 1 : RowsPerStep) : RandomPins(random);
    }

    /// <summary>
    /// The same with four to six layers, of which two at least attend to the keys and values of others: all else differs as in other cases.
    /// </summary>
    public static OracleCase Sharing(int seed) => new(seed, WithSharedKv);

    /// <summary>
    /// The same with layers whose feed-forward is a mixture of experts, the losses of whose routers count; chunks are whole rows, all of
    /// whose tokens the data has.
    /// </summary>
    public static OracleCase Mixtures(int seed) => new(seed, WithExperts);

    /// <summary>What made it.</summary>
    public int Seed { get; }

    /// <summary>For the engine.</summary>
    public ModelConfig Model { get; }

    /// <summary>The same for the oracle.</summary>
    public TorchShape Shape => new(
        Model.VocabSize, Model.LayerCount, Model.HeadCount, Model.KvHeadCount, Model.HeadDim, Model.RopeTheta, Model.RmsNormEps)
    {
        Tied = Model.TiedEmbedding,
        QkNorm = Model.QkNorm,
        PaddingId = Model.PaddingId,
        Windows = [.. Model.Kinds.Select(k => k.Window)],
        SharesKv = [.. Model.Kinds.Select(k => k.SharesKv)],
        Mixture = Model.Kinds.Select(k => k.Experts).FirstOrDefault(e => e is not null) is { } experts
            ? new TorchMixture(experts.PerToken, experts.Score == RouterScore.Sigmoid, experts.Normalised, Model.RouterZWeight)
            : null,
    };

    /// <summary>Tokens of a row.</summary>
    public int Seqlen { get; }

    /// <summary>Rows of a step.</summary>
    public int RowsPerStep { get; }

    /// <summary>Of all steps.</summary>
    public IReadOnlyList<PackedRow> Rows { get; }

    /// <summary>By the checkpoint's names.</summary>
    public IReadOnlyDictionary<string, CaseTensor> Weights { get; }

    /// <summary>
    /// Of all steps, in fp32. Its epsilon is above the rounding of gradients (they are about 0.02): with 1e-8 the update of a weight whose
    /// gradient happens to be 1e-7 is rounding (README).
    /// </summary>
    public AdamWNumbers AdamW { get; }

    /// <summary>Whether training changes a weight, by its name in a checkpoint.</summary>
    public bool IsTrained(string name) =>
        !Model.Layers.Any(l => Model.KindOf(l).Frozen && name.StartsWith($"model.layers.{l.Index}.", StringComparison.Ordinal));

    /// <summary>The same in bf16, where gradients are off by a hundredth.</summary>
    public AdamWNumbers AdamWInBf16 => AdamW with { Epsilon = 64 * AdamW.Epsilon };

    /// <summary>What gradients are clipped to; null where they are not.</summary>
    public double? ClipNorm { get; }

    /// <summary>The recipe that is tried beside fp32.</summary>
    public Recipe Bf16 { get; }

    /// <summary>What a forward keeps; null is the planner's choice.</summary>
    public SaveSet? Saved { get; }

    /// <summary>Of the device memory between the least and all that is of use: 0 to 1.</summary>
    public double Share { get; }

    /// <summary>How the step is cut.</summary>
    public GeometryPins Pins { get; }

    /// <summary>Some row has more documents than one.</summary>
    public bool IsPacked => Rows.Any(r => r.Documents is { Length: > 1 });

    /// <summary>Some row is short: what follows it is padding, whose targets do not count.</summary>
    public bool IsMasked => Rows.Any(r => r.Inputs < Seqlen);

    /// <summary>Targets have weights: of either sign, and 0.</summary>
    public bool IsWeighted => Rows[0].Weights is not null;

    /// <summary>The sum of weighted losses is divided by that of weights, in place of the number of targets.</summary>
    public bool DividesByWeights { get; }

    /// <summary>The rows of a step, from 0.</summary>
    public IReadOnlyList<PackedRow> RowsOf(int step) => [.. Rows.Skip(step * RowsPerStep).Take(RowsPerStep)];

    /// <summary>What a plan for it depends on, with more memory than it needs.</summary>
    public PlanRequest Request(Recipe recipe, WorkloadKind kind) => Request(recipe, kind, Pins);

    /// <summary>For people: what a failing seed is.</summary>
    public override string ToString() =>
        $"seed {Seed} ({Model.LayerCount} layers, {Model.HeadCount}/{Model.KvHeadCount} heads of {Model.HeadDim}, width {Model.ModelDim}, "
        + $"ffn {Model.FfnDim}, vocabulary {Model.VocabSize}{(Model.TiedEmbedding ? " tied" : "")}{(Model.QkNorm ? ", QK-norm" : "")}"
        + $"{(Model.Pattern is null ? "" : ", layers " + string.Join(" ", Model.Pattern.Kinds.Select(TextOf)))}, "
        + $"{RowsPerStep} x {Seqlen} tokens{(IsPacked ? " packed" : "")}{(IsMasked ? " masked" : "")}"
        + $"{(IsWeighted ? DividesByWeights ? " weighted by their sum" : " weighted" : "")}"
        + $"{(ClipNorm is null ? "" : " clipped")}, chunk {Pins.ChunkTokens}, rounds {Pins.Rounds}, "
        + $"blocks {Pins.VocabularyBlocks}, saved {Saved}, {Bf16.Name})";

    private static string TextOf(LayerKind kind) => $"{kind.FfnDim}/{kind.Window}{(kind.SharesKv ? " shares" : "")}";

    private static ModelConfig RandomModel(Random random, bool smallest)
    {
        // Rows of whole vectors, or such as begin anywhere.
        int width = random.Next(smallest ? 2 : 3) == 0 ? 1 : 8;
        int kv = random.Next(1, smallest ? 3 : 4);
        return new ModelConfig
        {
            Name = "oracle",
            VocabSize = random.Next(17, 300),
            ModelDim = width * random.Next(2, 6) + (width == 1 ? 12 : 0),
            LayerCount = random.Next(1, smallest ? 3 : 4),
            HeadCount = kv * random.Next(1, 4),
            KvHeadCount = kv,
            HeadDim = width == 1 ? 2 * random.Next(2, 13) : 8 * random.Next(1, smallest ? 3 : 5),
            FfnDim = width * random.Next(2, 9) + (width == 1 ? 12 : 0),
            RopeTheta = new[] { 1e3, 1e4, 5e5, 1e6 }[random.Next(4)],
            RmsNormEps = random.Next(2) == 0 ? 1e-5f : 1e-6f,
            TiedEmbedding = random.Next(2) == 0,
            QkNorm = random.Next(2) == 0,
        };
    }

    /// <summary>
    /// In about half of the cases with several layers, two kinds in turn: widths of feed-forward, windows, a feed-forward that is
    /// streamed apart, layers that are frozen, some of these stored in bf16. A window of one key would have queries and keys without any
    /// gradient, and a width of a number or two rounds by chance.
    /// </summary>
    private static ModelConfig WithLayers(Random random, ModelConfig model)
    {
        if (model.LayerCount == 1 || random.Next(2) == 0)
        {
            return model;
        }

        int step = model.FfnDim % 8 == 0 ? 8 : 1, least = step == 8 ? 1 : 6;
        int narrow = step * random.Next(least, (model.FfnDim / step) + 1);
        int window = random.Next(5, 16);
        var (first, second) = (
            new LayerKind(narrow, window, FfnApart: window % 2 == 0),
            new LayerKind(
                model.FfnDim,
                random.Next(3) == 0 ? random.Next(8, 32) : null,
                FfnApart: window % 3 == 0,
                Frozen: window % 4 == 1,
                FrozenType: window % 8 == 1 ? DType.BFloat16 : null // which changes no weight: all are exact in it
            )
        );
        return model with { Pattern = random.Next(2) == 0 ? new LayerPattern(first, second) : new LayerPattern(second, first) };
    }

    /// <summary>Runs of layers that share, of all lengths, with windows of their own or not; some layers are frozen.</summary>
    private static ModelConfig WithSharedKv(Random random, ModelConfig model)
    {
        int layers = random.Next(4, 7), sharing = random.Next(1, layers - 1);
        return model with
        {
            LayerCount = layers,
            Pattern = new LayerPattern([.. Enumerable.Range(0, layers).Select(l => new LayerKind(
                model.FfnDim, random.Next(3) == 0 ? random.Next(5, 16) : null, FfnApart: random.Next(3) == 0, Frozen: random.Next(6) == 0)
            {
                SharesKv = l == sharing || l == sharing + 1 || (l > 0 && random.Next(2) == 0),
            })]),
        };
    }

    /// <summary>Experts of every rule of weights, in all layers or between dense ones; in some every token has one, in some all.</summary>
    private static ModelConfig WithExperts(Random random, ModelConfig model)
    {
        int count = random.Next(3, 10);
        var mixture = new ExpertMixture(count, random.Next(1, Math.Min(count, 4) + 1), 4 * random.Next(2, 7))
        {
            Score = random.Next(3) == 0 ? RouterScore.Sigmoid : RouterScore.Softmax,
            Normalised = random.Next(2) == 0,
        };
        var sparse = new LayerKind(0) { Experts = mixture };
        return model with
        {
            Pattern = random.Next(3) == 0 ? new LayerPattern(sparse, new LayerKind(model.FfnDim)) : new LayerPattern(sparse),
            RouterZWeight = Math.ScaleB(1, -random.Next(3, 8)),
        };
    }

    /// <summary>
    /// In about half of the cases each target weighs something else: mostly above 0, some below, as preferences have it, some 0. The first
    /// targets are positive, so that no step's sum is nothing.
    /// </summary>
    private static (IReadOnlyList<PackedRow> Rows, bool BySum) Weighted(Random random, IReadOnlyList<PackedRow> rows, int seqlen)
    {
        if (random.Next(2) == 0)
        {
            return (rows, false);
        }

        float WeightOf(int target) => random.Next(8) switch
        {
            0 when target > 1 => -0.25f * random.NextSingle(),
            1 when target > 1 => 0,
            _ => 0.5f + (2 * random.NextSingle()),
        };
        return (
            [.. rows.Select(r => r with { Weights = [.. Enumerable.Range(0, seqlen).Select(WeightOf)] })],
            random.Next(2) == 0
        );
    }

    private static AdamWNumbers RandomAdamW(Random random) =>
        new(
            Math.ScaleB(1, -random.Next(7, 10)),
            0.9,
            random.Next(2) == 0 ? 0.95 : 0.999,
            Math.ScaleB(1, -random.Next(10, 17)),
            random.Next(3) * 0.1
        );

    private PlanRequest Request(Recipe recipe, WorkloadKind kind, GeometryPins pins) =>
        new(Model, recipe, kind, Seqlen, RowsPerStep, pins, GoldenCase.Roomy, Saved) { TargetWeights = IsWeighted };

    private GeometryPins RandomPins(Random random)
    {
        while (true)
        {
            // In bf16 a gradient is rounded once more for each chunk: not so many that this is all that is seen.
            int? chunk = random.Next(4) == 0 ? null : random.Next(Math.Max(2, Seqlen * RowsPerStep / 16), Seqlen + 4);
            int? rounds = random.Next(2) == 0 ? null : random.Next(1, RowsPerStep + 1);
            var pins = new GeometryPins(chunk, null, rounds, new VocabularyRows(Model.VocabSize, random.Next(1, 3)).Count);
            try
            {
                _ = GeometryRule.Candidates(Request(Recipe.Fp32, WorkloadKind.Training, pins));
                return pins;
            }
            catch (UserErrorException)
            {
                // Rows that do not fill the rounds.
            }
        }
    }
}
