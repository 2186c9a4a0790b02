namespace Dataflow.Model;

/// <summary>Where numbers are rounded: the dtypes of what is stored. Arithmetic on state and all accumulation is fp32.</summary>
/// <param name="Name">As in plans and after --dtype.</param>
/// <param name="Parameters">Weights as the kernels read them.</param>
/// <param name="Gradients">Weight gradients, rounded to this type after each chunk.</param>
/// <param name="Moments">What an optimizer keeps of each parameter, master weights aside.</param>
/// <param name="Activations">Activations and their gradients, except those that are always fp32 (rstd, lse, logits, dK and dV).</param>
public sealed record Recipe(string Name, DType Parameters, DType Gradients, DType Moments, DType Activations)
{
    /// <summary>Everything fp32: 16 bytes a parameter with AdamW, as below.</summary>
    public static Recipe Fp32 { get; } = new("fp32", DType.Float32, DType.Float32, DType.Float32, DType.Float32);

    /// <summary>
    /// Everything bf16, 8 bytes a parameter: the recipe of the published benchmarks. Updates smaller than half a step of a weight are lost.
    /// </summary>
    public static Recipe Bf16 { get; } = new("bf16", DType.BFloat16, DType.BFloat16, DType.BFloat16, DType.BFloat16);

    /// <summary>
    /// bf16 state whose updates are rounded stochastically, so that small ones are not lost; gradients accumulate in fp32: 10 bytes a
    /// parameter.
    /// </summary>
    public static Recipe Bf16Stochastic { get; } =
        new("bf16-sr", DType.BFloat16, DType.Float32, DType.BFloat16, DType.BFloat16) { RoundsStochastically = true };

    /// <summary>bf16 arithmetic on fp32 master weights, moments and gradients: 18 bytes a parameter.</summary>
    public static Recipe Bf16Master { get; } =
        new("bf16-master", DType.BFloat16, DType.Float32, DType.Float32, DType.BFloat16) { Master = DType.Float32 };

    /// <summary>All recipes, by <see cref="Name"/>.</summary>
    public static IReadOnlyList<Recipe> All { get; } = [Fp32, Bf16, Bf16Stochastic, Bf16Master];

    /// <summary>
    /// What a run uses where none is named, whatever its budgets: bf16-sr on a GPU, which loses no update on average; fp32 on a CPU, which
    /// has no faster type.
    /// </summary>
    public static Recipe DefaultOn(HardwareKind machine) => machine == HardwareKind.Gpu ? Bf16Stochastic : Fp32;

    /// <summary>
    /// Type of the weights that updates add to, where the parameters are but these rounded; they lie with the moments. Null where updates
    /// add to the parameters.
    /// </summary>
    public DType? Master { get; init; }

    /// <summary>Whether an update rounds parameters and moments up or down with the probability that makes the mean exact.</summary>
    public bool RoundsStochastically { get; init; }
}
