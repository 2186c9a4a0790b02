namespace Dataflow.Model;

/// <summary>
/// Decoupled AdamW (Loshchilov and Hutter, 2019): m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
/// w = w (1 - lr weight_decay) - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps). Arithmetic in fp32.
/// </summary>
public readonly record struct AdamWSettings(float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay)
{
    /// <summary>Defaults common for language models.</summary>
    public static AdamWSettings Default => new(3e-4f, 0.9f, 0.95f, 1e-8f, 0.1f);
}
