using System.Globalization;
using Dataflow.Model;

namespace Dataflow;

/// <summary>What is said of parameters that are updated with numbers of their own.</summary>
internal static class GroupNotes
{
    /// <summary>A sentence for each set of numbers, those of the rest first; nothing where all parameters are alike.</summary>
    public static IEnumerable<string> Of(ParameterGroups groups, ModelConfig model, OptimizerSettings settings) =>
        groups.IsEmpty
            ? []
            : NamedParameter.All(model)
                .Where(p => p.Spec.IsTrained)
                .GroupBy(p => groups.ScaleOf(p, settings.LearningRate))
                .OrderByDescending(g => g.Key == UpdateScale.One)
                .Select(g => Said(g.Key, [.. g], settings));

    private static string Said(UpdateScale scale, IReadOnlyList<NamedParameter> tensors, OptimizerSettings settings)
    {
        var own = scale.Of(settings);
        string named = tensors.Count == 1 ? tensors[0].Name : $"{tensors[0].Name} and {tensors.Count - 1:N0} more tensors";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Updated alike: {named}, {tensors.Sum(t => t.Part.ElementCount):N0} parameters, learning rate "
                + $"{SavedSettings.Text(own.LearningRate)}, weight decay {SavedSettings.Text(own.WeightDecay)}"
        );
    }
}
