using System.Text.Json.Serialization;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// How far the average has come that schedule-free optimizers train: steps weigh step^<see cref="OptimizerSettings.StepPower"/>
/// (largest rate so far)^<see cref="OptimizerSettings.RatePower"/>.
/// </summary>
/// <param name="Sum">Of the weights of all steps so far.</param>
/// <param name="LargestRate">Learning rate so far.</param>
/// <param name="Beta1">Of the last step: what steps read is (1 - beta1) z + beta1 x.</param>
public readonly record struct WeightAverage(double Sum, double LargestRate, float Beta1)
{
    /// <summary>Why no run can have left it; null: one can.</summary>
    [JsonIgnore]
    internal string? Fault =>
        double.IsFinite(Sum) && Sum >= 0 && double.IsFinite(LargestRate) && LargestRate >= 0 && Beta1 is > 0 and < 1
            ? null
            : "its average has numbers that no run leaves";

    /// <summary>After another step, and the step's settings with its share of the average.</summary>
    /// <param name="settings">The step's.</param>
    /// <param name="step">From 1.</param>
    public (WeightAverage After, OptimizerSettings Settings) Next(OptimizerSettings settings, int step)
    {
        double largest = Math.Max(LargestRate, settings.LearningRate);
        double weight = Math.Pow(step, settings.StepPower) * Math.Pow(largest, settings.RatePower);
        double sum = Sum + weight;
        return (new(sum, largest, settings.Beta1), settings with { AverageShare = sum > 0 ? (float)(weight / sum) : 0 });
    }
}
