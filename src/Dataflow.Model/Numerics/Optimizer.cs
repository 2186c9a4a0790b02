using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// What an element's update computes. A device has a file for each, named like it: Lion is lion.cu and Lion.cs, with the formula.
/// </summary>
public enum UpdateRule
{
    /// <summary>
    /// Decoupled AdamW (Loshchilov and Hutter, 2019): m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
    /// w = w (1 - lr weight_decay) - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps).
    /// </summary>
    AdamW,

    /// <summary>
    /// Lion (Chen and others, 2023): w = w (1 - lr weight_decay) - lr sign(beta1 m + (1 - beta1) g) with sign(0) = 0, then
    /// m = beta2 m + (1 - beta2) g.
    /// </summary>
    Lion,

    /// <summary>
    /// Stochastic gradient descent as PyTorch has it: g += weight_decay w, m = momentum m + g, w -= lr m, or with Nesterov's momentum
    /// w -= lr (g + momentum m).
    /// </summary>
    Sgd,

    /// <summary>
    /// Schedule-free AdamW (Defazio and others, 2024). Gradients are taken at y, the weights that a step reads; z walks, and what is
    /// trained is x, an average of it, y = (1 - beta1) z + beta1 x: v = beta2 v + (1 - beta2) g^2,
    /// u = g / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay y, y = y + c (z - y) + lr (beta1 (1 - c) - 1) u, then
    /// z -= lr u. c is the step's share of the average.
    /// </summary>
    ScheduleFree,

    /// <summary>AdamW whose moments are bytes, with a scale for each block of 256 of a tensor (<see cref="DynamicMap"/>).</summary>
    AdamW8Bit,

    /// <summary>
    /// Muon (Jordan and others, 2024), of a whole matrix: m = momentum m + (1 - momentum) g, with Nesterov's momentum
    /// u = (1 - momentum) g + momentum m, else u = m, w = w (1 - lr weight_decay) - lr s X, where X is u made nearly orthogonal
    /// (<see cref="NewtonSchulz"/>) and s looks at the matrix's shape (<see cref="MuonAdjustment"/>).
    /// </summary>
    Muon,
}

/// <summary>
/// What there is to know of an optimizer: what it keeps of each parameter, what can be set, and how an update computes. The planner's
/// memory, links and times, the pieces that travel, what kernels are called with, checkpoints and options follow from it. Most updates are
/// elementwise, so that state may be cut anywhere; arithmetic is fp32, whatever the state's types.
/// </summary>
public sealed record Optimizer
{
    /// <summary>The most moments that a parameter may have: random bits are drawn for it and so many more values of an element.</summary>
    public const int MostMoments = 3;

    private const int SmallestInBlocks = 4096;

    private Optimizer() { }

    /// <summary>AdamW, with the defaults that are common for language models.</summary>
    public static Optimizer AdamW { get; } =
        new()
        {
            Name = "adamw",
            Rule = UpdateRule.AdamW,
            Moments = ["first_moments", "second_moments"],
            Hyperparameters =
            [
                Hyperparameter.LearningRate,
                Hyperparameter.Beta1,
                Hyperparameter.Beta2,
                Hyperparameter.Epsilon,
                Hyperparameter.WeightDecay,
            ],
            Defaults = new OptimizerSettings(3e-4f, 0.9f, 0.95f, 1e-8f, 0.1f),
        };

    /// <summary>Lion: half of AdamW's state. Every element moves by the learning rate, which is a third to a tenth of AdamW's.</summary>
    public static Optimizer Lion { get; } =
        new()
        {
            Name = "lion",
            Rule = UpdateRule.Lion,
            Moments = ["momentum"],
            Hyperparameters =
            [
                Hyperparameter.LearningRate,
                Hyperparameter.Beta1,
                Hyperparameter.Beta2,
                Hyperparameter.WeightDecay,
            ],
            Defaults = new OptimizerSettings(1e-4f, 0.9f, 0.99f, 0, 0.1f),
        };

    /// <summary>Stochastic gradient descent with momentum.</summary>
    public static Optimizer Sgd { get; } =
        new()
        {
            Name = "sgd",
            Rule = UpdateRule.Sgd,
            Moments = ["momentum"],
            Hyperparameters =
            [
                Hyperparameter.LearningRate,
                Hyperparameter.Momentum,
                Hyperparameter.Nesterov,
                Hyperparameter.WeightDecay,
            ],
            Defaults = new OptimizerSettings(0.01f, 0, 0, 0, 0) { Momentum = 0.9f },
        };

    /// <summary>
    /// Schedule-free AdamW: no schedule is needed, as its average of all steps is what one would end at. Steps weigh by their number and by
    /// the largest learning rate so far, to these powers.
    /// </summary>
    public static Optimizer ScheduleFree { get; } =
        new()
        {
            Name = "schedule-free",
            Rule = UpdateRule.ScheduleFree,
            Moments = [StatePart.Walk, "second_moments"],
            Hyperparameters =
            [
                Hyperparameter.LearningRate,
                Hyperparameter.Beta1,
                Hyperparameter.Beta2,
                Hyperparameter.Epsilon,
                Hyperparameter.WeightDecay,
                Hyperparameter.StepPower,
                Hyperparameter.RatePower,
            ],
            Defaults = new OptimizerSettings(2.5e-3f, 0.9f, 0.999f, 1e-8f, 0) { RatePower = 2 },
        };

    /// <summary>
    /// AdamW, of whose state a quarter is left: moments of tensors of at least 4,096 elements that are whole blocks are stored as bytes.
    /// What is smaller, or no whole number of blocks, is updated as AdamW has it.
    /// </summary>
    public static Optimizer AdamW8Bit { get; } =
        AdamW with
        {
            Name = "adamw-8bit",
            Special = new SpecialTensors(
                UpdateRule.AdamW8Bit,
                static _ =>
                [
                    new StatePart("first_moment_codes", DType.UInt8),
                    new StatePart("first_moment_scales", DType.Float32) { ElementsPerValue = DynamicMap.BlockElements },
                    new StatePart("second_moment_codes", DType.UInt8),
                    new StatePart("second_moment_scales", DType.Float32) { ElementsPerValue = DynamicMap.BlockElements },
                ],
                static (_, tensor) => tensor.ElementCount >= SmallestInBlocks && tensor.ElementCount % DynamicMap.BlockElements == 0,
                static _ => DynamicMap.BlockElements),
        };

    /// <summary>
    /// Muon of the layers' matrices, AdamW of the rest. Where its updates have the size of AdamW's, as by default, a learning rate that is
    /// good for AdamW is good for it.
    /// </summary>
    public static Optimizer Muon { get; } =
        AdamW with
        {
            Name = "muon",
            Hyperparameters =
            [
                .. AdamW.Hyperparameters,
                Hyperparameter.Momentum,
                Hyperparameter.Nesterov,
                Hyperparameter.MatchRms,
                Hyperparameter.NewtonSchulzSteps,
                Hyperparameter.NewtonSchulzA,
                Hyperparameter.NewtonSchulzB,
                Hyperparameter.NewtonSchulzC,
            ],
            Defaults = AdamW.Defaults with
            {
                Momentum = 0.95f,
                Nesterov = 1,
                MatchRms = 1,
                NewtonSchulzSteps = NewtonSchulz.Muon.Steps,
                NewtonSchulzA = (float)NewtonSchulz.Muon.A,
                NewtonSchulzB = (float)NewtonSchulz.Muon.B,
                NewtonSchulzC = (float)NewtonSchulz.Muon.C,
            },
            Special = new SpecialTensors(
                UpdateRule.Muon,
                static recipe => [new StatePart("momentum", recipe.Moments)],
                static (parameter, tensor) => parameter.IsMatrix && tensor.Shape.Length > 1 && tensor.IsOfLayer,
                static tensor => tensor.ElementCount),
        };

    /// <summary>
    /// The same, with a moving average of the weights besides: e = w after the first step, then e = d e + (1 - d) w. It changes nothing of
    /// the training; null where what is trained is an average already.
    /// </summary>
    public Optimizer? Averaged => KeepsAverage ? this : s_averaged.GetValueOrDefault(Name);

    /// <summary>Whether a moving average of the weights is kept.</summary>
    public bool KeepsAverage { get; private init; }

    /// <summary>All of them, by <see cref="Name"/>; the first is what a run has where none is named.</summary>
    public static IReadOnlyList<Optimizer> All { get; } = [AdamW, AdamW8Bit, Muon, Lion, ScheduleFree, Sgd];

    private static readonly Dictionary<string, Optimizer> s_averaged = All.Where(o => !o.TrainsAverage).ToDictionary(
        o => o.Name,
        o => o with
        {
            Name = o.Name + "+ema",
            KeepsAverage = true,
            Hyperparameters = o.Hyperparameters.Add(Hyperparameter.AverageDecay),
            Defaults = o.Defaults with { AverageDecay = 0.999f },
        });

    /// <summary>As in plans and checkpoints and after --optimizer.</summary>
    public required string Name { get; init; }

    /// <summary>What an element's update computes.</summary>
    public required UpdateRule Rule { get; init; }

    /// <summary>
    /// What it keeps of each parameter, in the order in which it lies in memory: names of a checkpoint's files, without their ending. The
    /// recipe says of which type, and whether master weights lie behind.
    /// </summary>
    public required ImmutableArray<string> Moments { get; init; }

    /// <summary>What can be set.</summary>
    public required ImmutableArray<Hyperparameter> Hyperparameters { get; init; }

    /// <summary>Where nothing is set; 0 for what cannot be.</summary>
    public required OptimizerSettings Defaults { get; init; }

    /// <summary>The one of that name; null if there is none.</summary>
    public static Optimizer? Named(string name) => All.Concat(s_averaged.Values).FirstOrDefault(o => o.Name == name);

    /// <summary>Tensors that are updated otherwise than by <see cref="Rule"/>; null: none.</summary>
    internal SpecialTensors? Special { get; init; }

    /// <summary>What is trained is not what steps read, but an average: see <see cref="UpdateRule.ScheduleFree"/>.</summary>
    public bool TrainsAverage => Rule == UpdateRule.ScheduleFree;

    /// <summary>Why it cannot do with these numbers, a sentence; null: it can.</summary>
    public string? Fault(OptimizerSettings settings) =>
        TrainsAverage && settings.Beta1 <= 0
            ? $"{Name} keeps its average by --beta1, which must be above 0; leave it at {Defaults.Beta1}"
        : Special?.Rule == UpdateRule.Muon ? settings.Iteration.Fault
        : null;

    /// <summary>Why it cannot update a model, a sentence; null: it can.</summary>
    public string? Fault(ModelConfig model) =>
        Special?.Rule == UpdateRule.AdamW8Bit
        && model.TrainedParts.FirstOrDefault(p => p.Part.FirstElement % 8 != 0 && Special.Has(p.Spec, p.Part)) is { Part: { } part }
            ? $"{Name} cannot update {part.CheckpointName} of {model.Name}: in memory it begins within eight elements of another tensor; "
                + $"give --optimizer {AdamW.Name}"
        : Special?.Rule == UpdateRule.Muon && model.TrainedParts.FirstOrDefault(p => p.Part.Stack > 1 && Special.Has(p.Spec, p.Part))
            is { Part: { } stack }
            ? $"{Name} cannot update {stack.CheckpointName} of {model.Name}, which holds the matrices of all experts in one tensor; "
                + $"give --optimizer {AdamW.Name}"
            : null;

    /// <summary>Whether the embedding and the head of a model may be cut in blocks of their rows.</summary>
    public bool MayCutVocabulary(ModelConfig model) =>
        model.MayCutVocabulary
        && (Special?.Rule != UpdateRule.AdamW8Bit
            || (model.ModelDim * VocabularyRows.RowAlignment % DynamicMap.BlockElements == 0
                && model.LayerInputsDim * VocabularyRows.RowAlignment % DynamicMap.BlockElements == 0));

    /// <summary>The rule of tensors that are updated otherwise than by <see cref="Rule"/>; null: none.</summary>
    public UpdateRule? SpecialRule => Special?.Rule;

    /// <summary>Every tensor is updated by <see cref="Rule"/>, element by element: state may be cut anywhere.</summary>
    public bool IsElementwise => Special is null;

    /// <summary>Bytes of a parameter's state: moments and master weight. Of most parameters, where not all have the same.</summary>
    public double StateBytes(Recipe recipe) =>
        (Special?.Parts(recipe) ?? Kept(recipe)).Sum(p => (double)p.Type.Size() / p.ElementsPerValue)
        + (KeepsAverage ? DType.Float32.Size() : 0) + (recipe.Master?.Size() ?? 0);

    /// <summary>Bytes of all that a parameter has: itself, its gradient, its optimizer state.</summary>
    public double BytesPerParameter(Recipe recipe) => recipe.Parameters.Size() + recipe.Gradients.Size() + StateBytes(recipe);

    /// <summary>Bytes of the state of all that a model trains.</summary>
    public Bytes StateSize(ModelConfig model, Recipe recipe) =>
        new(model.TrainedParts.Sum(p => p.Layers * UpdateOf(p.Spec, p.Part, recipe).Parts.Sum(s => s.SizeOf(p.Part.ElementCount).Value)));

    /// <summary>The parts of its state under a recipe: files of a checkpoint. Not every tensor has each of them.</summary>
    public ImmutableArray<StatePart> State(Recipe recipe) =>
        [.. Kept(recipe), .. (Special?.Parts(recipe) ?? []).Where(p => !Moments.Contains(p.Name)), .. Averages, .. Masters(recipe)];

    /// <summary>How a tensor of a checkpoint is updated, part of a parameter.</summary>
    public TensorUpdate UpdateOf(ParameterSpec parameter, WeightPart tensor, Recipe recipe) =>
        Special is { } special && special.Has(parameter, tensor)
            ? new TensorUpdate(special.Rule, [.. special.Parts(recipe), .. Averages, .. Masters(recipe)], special.Granule(tensor))
            : Otherwise(recipe);

    /// <summary>How tensors are updated that are not special.</summary>
    internal TensorUpdate Otherwise(Recipe recipe) => new(Rule, [.. Kept(recipe), .. Averages, .. Masters(recipe)], 1);

    private ImmutableArray<StatePart> Kept(Recipe recipe) => [.. Moments.Select(name => new StatePart(name, recipe.Moments))];

    private ImmutableArray<StatePart> Averages => KeepsAverage ? [new StatePart(StatePart.Average, DType.Float32)] : [];

    private static ImmutableArray<StatePart> Masters(Recipe recipe) =>
        recipe.Master is { } master ? [new StatePart(StatePart.MasterWeights, master)] : [];

    /// <inheritdoc/>
    public override string ToString() => Name;
}
