using Dataflow.Model;

namespace Dataflow.Formats;

/// <summary>
/// Readers suppose a scale of scores that follows from a model's sizes; the format has no word for another. What is left over is in the
/// weights instead: of the norm of queries where there is one, else of queries. It is 1 of every published model.
/// </summary>
internal static class ScoreScale
{
    /// <summary>What those weights are multiplied by.</summary>
    public static float Of(ModelConfig model, GgufFamily family) =>
        model.AttentionScale is { } scale ? (float)(scale * Math.Sqrt(family.ScoreDivisor(model))) : 1;

    /// <summary>Whether a tensor of folders takes it.</summary>
    public static bool IsIn(string name, ModelConfig model) =>
        name.EndsWith(model.QkNorm ? ".q_norm.weight" : ".q_proj.weight", StringComparison.Ordinal);
}
