namespace Dataflow.Model;

/// <summary>Where numbers are rounded: the dtypes of what is stored. Arithmetic on state and all accumulation is fp32.</summary>
/// <param name="Name">As in plans and after --dtype.</param>
/// <param name="Parameters">Weights as the kernels read them.</param>
/// <param name="Gradients">Weight gradients, rounded to this type after each chunk.</param>
/// <param name="Moments">Both AdamW moments.</param>
/// <param name="Activations">Activations and their gradients, except those that are always fp32 (rstd, lse, logits, dK and dV).</param>
public sealed record Recipe(string Name, DType Parameters, DType Gradients, DType Moments, DType Activations)
{
    /// <summary>Everything fp32: 16 bytes a parameter.</summary>
    public static Recipe Fp32 { get; } = new("fp32", DType.Float32, DType.Float32, DType.Float32, DType.Float32);

    /// <summary>Everything bf16, 8 bytes a parameter: the recipe of the published benchmarks.</summary>
    public static Recipe Bf16 { get; } = new("bf16", DType.BFloat16, DType.BFloat16, DType.BFloat16, DType.BFloat16);

    /// <summary>All recipes, by <see cref="Name"/>.</summary>
    public static IReadOnlyList<Recipe> All { get; } = [Fp32, Bf16];
}
