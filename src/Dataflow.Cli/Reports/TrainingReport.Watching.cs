using System.Globalization;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <content>What a run says of its own numbers, below the step that they are of.</content>
internal sealed partial class TrainingReport
{
    private void Watched(StepResult line)
    {
        if (line.Groups is { } groups)
        {
            output.WriteLine($"  gradient norm   {Spread(groups, g => g.GradientNorm, "0.000")}");
            output.WriteLine($"  update / weight {Spread(groups, g => g.UpdateRatio, "0.0e-0")}");
        }

        if (line.Rollback is { } back)
        {
            output.WriteLine(
                $"  loss {back.Loss:0.0000} is above {back.Limit:0.0000}: back to the checkpoint of step {back.To}, and on with the rows "
                    + $"that follow ({back.Times} of {WatchOptions.MostRollbacks} times)"
            );
        }
    }

    /// <summary>The embedding, the layers from the least to the most, the head.</summary>
    private static string Spread(IReadOnlyList<GroupNumbers> groups, Func<GroupNumbers, double> number, string format)
    {
        var layers = groups.Skip(1).SkipLast(1).OrderBy(number).ToList();
        string Of(GroupNumbers group) => number(group).ToString(format, CultureInfo.InvariantCulture);
        string middle =
            layers.Count == 0 ? ""
            : layers.Count == 1 ? $"{layers[0].Group} {Of(layers[0])}, "
            : $"layers {Of(layers[0])} ({layers[0].Group}) to {Of(layers[^1])} ({layers[^1].Group}), ";
        return $"embedding {Of(groups[0])}, {middle}head {Of(groups[^1])}";
    }
}
