namespace Dataflow.Model;

/// <summary>The numbers that optimizers are set by; 0 where an optimizer has no such number.</summary>
/// <param name="LearningRate">How far a step moves a weight.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="WeightDecay">A weight shrinks by this share of the learning rate; sgd adds that share of a weight to its gradient.</param>
public readonly record struct OptimizerSettings(
    float LearningRate,
    float Beta1,
    float Beta2,
    float Epsilon,
    float WeightDecay
)
{
    /// <summary>What is kept of the sum of gradients from step to step.</summary>
    public float Momentum { get; init; }

    /// <summary>0: weights move by the sum of gradients; 1: by what it will be once the gradient is added again (Nesterov).</summary>
    public float Nesterov { get; init; }

    /// <summary>1: Muon's updates have the size of AdamW's; 0: they look at a matrix's shape alone.</summary>
    public float MatchRms { get; init; }

    /// <summary>Steps of Newton-Schulz.</summary>
    public float NewtonSchulzSteps { get; init; }

    /// <summary>First coefficient of Newton-Schulz.</summary>
    public float NewtonSchulzA { get; init; }

    /// <summary>Second coefficient of Newton-Schulz.</summary>
    public float NewtonSchulzB { get; init; }

    /// <summary>Third coefficient of Newton-Schulz.</summary>
    public float NewtonSchulzC { get; init; }

    /// <summary>How Muon makes a matrix orthogonal.</summary>
    public NewtonSchulz Iteration =>
        new((double)(decimal)NewtonSchulzA, (double)(decimal)NewtonSchulzB, (double)(decimal)NewtonSchulzC, (int)NewtonSchulzSteps);

    /// <summary>By what Muon multiplies the learning rate.</summary>
    public MuonAdjustment Adjustment => MatchRms == 0 ? MuonAdjustment.Original : MuonAdjustment.MatchRmsAdamW;

    /// <summary>To which power of their number steps weigh in what is trained.</summary>
    public float StepPower { get; init; }

    /// <summary>To which power of the largest learning rate so far steps weigh in what is trained.</summary>
    public float RatePower { get; init; }

    /// <summary>What the moving average of weights keeps of itself in a step.</summary>
    public float AverageDecay { get; init; }

    /// <summary>The step's share of what is trained, where that is an average: it follows from all steps before.</summary>
    public float AverageShare { get; init; }

    /// <summary>One of them.</summary>
    public float this[Hyperparameter which] => which.Of(this);

    /// <summary>With one of them replaced.</summary>
    public OptimizerSettings With(Hyperparameter which, float value) => which.Set(this, value);
}
