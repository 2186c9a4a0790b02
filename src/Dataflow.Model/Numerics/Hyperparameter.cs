namespace Dataflow.Model;

/// <summary>A number of <see cref="OptimizerSettings"/>: what it is called, and which values it may have.</summary>
public sealed class Hyperparameter
{
    private readonly Func<OptimizerSettings, float> get;
    private readonly Func<OptimizerSettings, float, OptimizerSettings> set;

    private Hyperparameter(
        string name,
        string about,
        (float Least, float Below, bool LeastAllowed) range,
        Func<OptimizerSettings, float> get,
        Func<OptimizerSettings, float, OptimizerSettings> set
    )
    {
        (Name, About, this.get, this.set) = (name, about, get, set);
        (Least, Below, LeastAllowed) = range;
    }

    /// <summary>How far a step moves a weight.</summary>
    public static Hyperparameter LearningRate { get; } =
        new(
            "lr",
            "learning rate",
            (0, 1e3f, true),
            s => s.LearningRate,
            (s, v) => s with { LearningRate = v }
        );

    /// <summary>Decay of the first moment.</summary>
    public static Hyperparameter Beta1 { get; } =
        new(
            "beta1",
            "decay of the first moment; of lion, of the sum whose sign it takes",
            (0, 1, true),
            s => s.Beta1,
            (s, v) => s with { Beta1 = v }
        );

    /// <summary>Decay of the second moment.</summary>
    public static Hyperparameter Beta2 { get; } =
        new(
            "beta2",
            "decay of the second moment; of lion, of its only one",
            (0, 1, true),
            s => s.Beta2,
            (s, v) => s with { Beta2 = v }
        );

    /// <summary>Added to the root of the second moment.</summary>
    public static Hyperparameter Epsilon { get; } =
        new(
            "eps",
            "added to the root of the second moment",
            (0, 1, false),
            s => s.Epsilon,
            (s, v) => s with { Epsilon = v }
        );

    /// <summary>How much a weight shrinks in a step.</summary>
    public static Hyperparameter WeightDecay { get; } =
        new(
            "weight-decay",
            "weight decay, decoupled from the gradient; sgd adds it to that",
            (0, 1e3f, true),
            s => s.WeightDecay,
            (s, v) => s with { WeightDecay = v }
        );

    /// <summary>Share of the sum of gradients that a step keeps.</summary>
    public static Hyperparameter Momentum { get; } =
        new(
            "momentum",
            "what is kept of the sum of gradients",
            (0, 1, true),
            s => s.Momentum,
            (s, v) => s with { Momentum = v }
        );

    /// <summary>Whether the momentum is Nesterov's.</summary>
    public static Hyperparameter Nesterov { get; } =
        new(
            "nesterov",
            "1 for Nesterov's momentum, 0 for the plain one",
            (0, MathF.BitIncrement(1), true),
            s => s.Nesterov,
            (s, v) => s with { Nesterov = v }
        ) { IsWhole = true };

    /// <summary>Whether Muon's updates have the size of AdamW's.</summary>
    public static Hyperparameter MatchRms { get; } =
        new(
            "match-rms",
            "1 for updates of the size of AdamW's, 0 for those that look at a matrix's shape alone",
            (0, MathF.BitIncrement(1), true),
            s => s.MatchRms,
            (s, v) => s with { MatchRms = v }
        ) { IsWhole = true };

    /// <summary>How often Muon's iteration is done.</summary>
    public static Hyperparameter NewtonSchulzSteps { get; } =
        new(
            "ns-steps",
            "steps of the Newton-Schulz iteration",
            (1, 41, true),
            s => s.NewtonSchulzSteps,
            (s, v) => s with { NewtonSchulzSteps = v }
        ) { IsWhole = true };

    /// <summary>Of Muon's iteration.</summary>
    public static Hyperparameter NewtonSchulzA { get; } =
        new(
            "ns-a",
            "first coefficient of the Newton-Schulz iteration",
            (0, 100, false),
            s => s.NewtonSchulzA,
            (s, v) => s with { NewtonSchulzA = v }
        );

    /// <summary>Of Muon's iteration.</summary>
    public static Hyperparameter NewtonSchulzB { get; } =
        new(
            "ns-b",
            "second coefficient of the Newton-Schulz iteration",
            (-100, 100, true),
            s => s.NewtonSchulzB,
            (s, v) => s with { NewtonSchulzB = v }
        );

    /// <summary>Of Muon's iteration.</summary>
    public static Hyperparameter NewtonSchulzC { get; } =
        new(
            "ns-c",
            "third coefficient of the Newton-Schulz iteration",
            (-100, 100, true),
            s => s.NewtonSchulzC,
            (s, v) => s with { NewtonSchulzC = v }
        );

    /// <summary>How much more later steps weigh.</summary>
    public static Hyperparameter StepPower { get; } =
        new(
            "step-power",
            "steps weigh in the average by this power of their number",
            (0, 1e3f, true),
            s => s.StepPower,
            (s, v) => s with { StepPower = v }
        );

    /// <summary>How much more steps with a larger learning rate weigh.</summary>
    public static Hyperparameter RatePower { get; } =
        new(
            "rate-power",
            "steps weigh in the average by this power of the largest learning rate so far",
            (0, 1e3f, true),
            s => s.RatePower,
            (s, v) => s with { RatePower = v }
        );

    /// <summary>Of a moving average of the weights.</summary>
    public static Hyperparameter AverageDecay { get; } =
        new(
            "ema",
            "what the moving average of the weights keeps of itself in a step",
            (0, 1, true),
            s => s.AverageDecay,
            (s, v) => s with { AverageDecay = v }
        );

    /// <summary>All of them, in the order in which people should read them.</summary>
    public static IReadOnlyList<Hyperparameter> All { get; } =
    [LearningRate, Beta1, Beta2, Epsilon, Momentum, Nesterov, WeightDecay, MatchRms, NewtonSchulzSteps, NewtonSchulzA,
        NewtonSchulzB, NewtonSchulzC, StepPower, RatePower, AverageDecay];

    /// <summary>As of its option and in the settings of a checkpoint.</summary>
    public string Name { get; }

    /// <summary>What it is, for people.</summary>
    public string About { get; }

    /// <summary>The least that it may be, or what it must be above.</summary>
    public float Least { get; }

    /// <summary>What it must be below.</summary>
    public float Below { get; }

    /// <summary>Whether it must be a whole number.</summary>
    public bool IsWhole { get; private init; }

    /// <summary>Whether it may be <see cref="Least"/>.</summary>
    public bool LeastAllowed { get; }

    /// <summary>Its value.</summary>
    internal float Of(in OptimizerSettings settings) => get(settings);

    /// <summary>With another value.</summary>
    internal OptimizerSettings Set(in OptimizerSettings settings, float value) =>
        set(settings, value);
}
