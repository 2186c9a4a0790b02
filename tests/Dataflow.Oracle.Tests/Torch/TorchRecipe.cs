using Dataflow.Model;
using static TorchSharp.torch;

namespace Dataflow.Oracle.Tests;

/// <summary>In which types TorchSharp trains: what is true, and a counterpart of each of the engine's recipes.</summary>
/// <param name="Weights">Type of parameters, gradients and both moments: what the optimizer works on.</param>
/// <param name="Arithmetic">Type that weights are cast to before they are used, and of activations.</param>
/// <param name="RoundsStochastically">Updated weights are rounded to bfloat16, up or down by chance.</param>
public sealed record TorchRecipe(ScalarType Weights, ScalarType Arithmetic, bool RoundsStochastically = false)
{
    /// <summary>The truth.</summary>
    public static TorchRecipe Float64 { get; } = new(ScalarType.Float64, ScalarType.Float64);

    /// <summary>fp32.</summary>
    public static TorchRecipe Float32 { get; } = new(ScalarType.Float32, ScalarType.Float32);

    /// <summary>bf16: a model after `.bfloat16()` under torch.optim.AdamW, all whose state is then bfloat16.</summary>
    public static TorchRecipe BFloat16 { get; } = new(ScalarType.BFloat16, ScalarType.BFloat16);

    /// <summary>bf16-master: fp32 parameters, cast to bfloat16 for each step.</summary>
    public static TorchRecipe BFloat16Master { get; } = new(ScalarType.Float32, ScalarType.BFloat16);

    /// <summary>bf16-sr: bfloat16 weights whose updates are rounded by chance. Moments stay fp32, which is stricter than ours.</summary>
    public static TorchRecipe BFloat16Stochastic { get; } = new(ScalarType.Float32, ScalarType.BFloat16, RoundsStochastically: true);

    /// <summary>The counterpart of a recipe of the engine.</summary>
    public static TorchRecipe Of(Recipe recipe) => recipe.Name switch
    {
        "fp32" => Float32,
        "bf16" => BFloat16,
        "bf16-sr" => BFloat16Stochastic,
        "bf16-master" => BFloat16Master,
        _ => throw new ArgumentOutOfRangeException(nameof(recipe), recipe.Name, "no counterpart"),
    };
}
