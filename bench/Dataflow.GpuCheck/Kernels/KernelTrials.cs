using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.GpuCheck;

/// <summary>The trials by what binds them, and benches for them.</summary>
internal static class KernelTrials
{
    /// <summary>Tokens that speed is measured on: a chunk of the marks.</summary>
    public const int SpeedTokens = 8192;

    private const int CheckTokens = 2048;
    private const int Fp32Tokens = 512;
    private const int EmulatedTokens = 48;

    /// <summary>Bound by the memory of the device.</summary>
    public static IReadOnlyList<Func<Workbench, KernelTrial>> Memory { get; } =
    [
        RowTrials.NormForward,
        RowTrials.NormBackward,
        RowTrials.BiasGradient,
        RowTrials.Dequantize,
        RowTrials.DequantizeInt8,
        RowTrials.DequantizeNf4,
        RowTrials.DequantizeNf4Nested,
        RowTrials.GateForward,
        RowTrials.GateBackward,
        RowTrials.RotateForward,
        RowTrials.RotateBackward,
        StateTrials.EmbeddingForward,
        StateTrials.EmbeddingBackward,
        StateTrials.CrossEntropy,
        PreferenceTrials.Both,
        StateTrials.AdamW,
        StateTrials.AdamW8Bit,
        StateTrials.SquaredSum,
        MuonTrials.Momentum,
        MuonTrials.Apply,
    ];

    /// <summary>Attention.</summary>
    public static IReadOnlyList<Func<Workbench, KernelTrial>> Attention { get; } = [AttentionTrials.Forward, AttentionTrials.Backward];

    /// <summary>A bench for "8b-bf16", with as many tokens as results are checked on.</summary>
    public static Workbench CheckBench(CheckSettings settings, string name)
    {
        var recipe = Recipe.All.Single(r => name.EndsWith("-" + r.Name, StringComparison.Ordinal));
        return new Workbench(
            settings,
            Config(settings, name[..^(recipe.Name.Length + 1)]),
            settings.Emulated ? EmulatedTokens
                : recipe == Recipe.Fp32 ? Fp32Tokens
                : CheckTokens,
            recipe
        );
    }

    /// <summary>A bench for speed, in bf16.</summary>
    public static Workbench SpeedBench(CheckSettings settings, string model, AttentionByCudnn? attention = null) =>
        new(settings, Config(settings, model), settings.Emulated ? EmulatedTokens : SpeedTokens, Recipe.Bf16, attention?.Target);

    // Emulated: nano with heads that tensor-core attention need not pad.
    private static ModelConfig Config(CheckSettings settings, string model)
    {
        using var source = ModelSource.Open(Path.Combine(CheckSettings.Root, "models", model + ".json"));
        return settings.Emulated ? source.Model with { HeadDim = 64 } : source.Model;
    }
}
