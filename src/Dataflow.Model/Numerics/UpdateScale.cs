namespace Dataflow.Model;

/// <summary>
/// What a group of parameters makes of a step's numbers: its learning rate is the step's times <paramref name="Rate"/>, its weight decay
/// the step's times <paramref name="Decay"/>, plus <paramref name="OwnDecay"/>.
/// </summary>
public readonly record struct UpdateScale(float Rate, float Decay, float OwnDecay)
{
    /// <summary>Both are the step's, to the bit.</summary>
    public static UpdateScale One { get; } = new(1, 1, 0);

    /// <summary>The group's numbers.</summary>
    public OptimizerSettings Of(in OptimizerSettings step) =>
        step with
        {
            LearningRate = step.LearningRate * Rate,
            WeightDecay = (step.WeightDecay * Decay) + OwnDecay,
        };
}
