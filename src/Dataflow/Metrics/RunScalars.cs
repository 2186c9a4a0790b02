using Dataflow.Training;

namespace Dataflow;

/// <summary>The figures of a step by tags, as TensorBoard shows them: tags with the same text before a slash are one group.</summary>
internal static class RunScalars
{
    /// <summary>Its numbers.</summary>
    public static IEnumerable<(string Tag, double Value)> Of(StepResult line)
    {
        var step = line.Step;
        if (step.Skipped is null)
        {
            yield return ("loss/training", step.Loss);
        }

        if (line.Validation is { } held)
        {
            yield return ("loss/validation", held.Loss);
        }

        yield return ("learning rate", line.LearningRate);
        yield return ("speed/tokens a second", step.TokensPerSecond);
        if (line.PredictedTokensPerSecond is { } predicted)
        {
            yield return ("speed/predicted tokens a second", predicted);
        }

        yield return ("tokens", line.AllTokens);
        if (step.GradientNorm is { } norm)
        {
            yield return ("gradient norm/all", norm);
        }

        foreach (var group in line.Groups ?? [])
        {
            yield return ($"gradient norm/{group.Group}", group.GradientNorm);
            yield return ($"update over weight/{group.Group}", group.UpdateRatio);
        }

        foreach (var (tag, value) in Pairs("preferences", step.Preferences)
            .Concat(Pairs("preferences of validation", line.Validation?.Preferences)))
        {
            yield return (tag, value);
        }

        foreach (var (stream, busy) in line.Sample?.Streams ?? [])
        {
            yield return ($"busy/{stream}", busy);
        }

        foreach (var layer in line.Sample?.Experts ?? [])
        {
            yield return ($"most loaded expert over the mean/layer {layer.Layer}", layer.Most);
        }

        if (line.Sample is { } sample)
        {
            yield return ("memory/bytes of the process", sample.Process.Value);
        }
    }

    /// <summary>How its weights and gradients are spread, where that was looked at.</summary>
    public static IEnumerable<(string Tag, ValueHistogram Values)> Spread(StepResult line) =>
        (line.Sample?.Values ?? []).SelectMany(g => new[] { ($"weights/{g.Group}", g.Weights), ($"gradients/{g.Group}", g.Gradients) });

    private static IEnumerable<(string Tag, double Value)> Pairs(string name, PreferenceReport? pairs) => pairs is not { } some
        ? []
        :
        [
            ($"{name}/margin", some.Margin),
            ($"{name}/accuracy", some.Accuracy),
            ($"{name}/reward of the chosen", some.RewardChosen),
            ($"{name}/reward of the rejected", some.RewardRejected),
        ];
}
