using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>The numbers of a watched step: what they are by definition, and the same bits whatever the memory.</summary>
public abstract class WatchConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    /// <summary>Case, recipe, blocks of the vocabulary.</summary>
    public static TheoryData<string, string, int> Cases =>
        [
            .. Sample([
                ("llama-small", "fp32", 1), ("qwen3-small", "bf16-master", 1), ("llama-documents", "bf16-sr", 2),
                ("qwen3-small", "fp32", 3),
            ]),
        ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_by_group_and_updates_beside_weights_are_what_they_are_in_float64(string name, string dtype, int blocks)
    {
        var golden = new GoldenCase(name);
        var pins = new GeometryPins(golden.Seqlen, VocabularyBlocks: blocks);
        var request = golden.Request(Named(dtype), WorkloadKind.ClippedTraining, pins: pins);
        var (_, gradients) = Gradients(golden, GoldenCase.Plan(request with { Kind = WorkloadKind.Gradients }));
        IReadOnlyList<GroupNumbers>? first = null;
        foreach (var plan in new[] { GoldenCase.Plan(request), GoldenCase.Tight(request) })
        {
            using var device = Device.Open(plan.Schedule, plan.Workload, 1);
            var trainer = golden.Trainer(plan, device);
            var watch = new StepWatch(trainer);
            var before = GoldenCase.Tensors(trainer.MasterWeights ?? trainer.Weights);
            watch.Before();
            trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, 1);
            var groups = watch.After();
            var after = GoldenCase.Tensors(trainer.MasterWeights ?? trainer.Weights);
            Assert.Equal(golden.Model.LayerCount + 2, groups.Count);
            foreach (var group in groups)
            {
                string[] tensors = [.. before.Keys.Where(t => IsOf(group.Group, t))];
                double norm = Math.Sqrt(tensors.Sum(t => Square(gradients[t])));
                double change = Math.Sqrt(tensors.Sum(t => Square([.. after[t].Zip(before[t], (a, b) => a - b)])));
                double ratio = change / Math.Sqrt(tensors.Sum(t => Square(before[t])));
                Assert.Equal(norm, group.GradientNorm, norm * 1e-5);

                // Of tensors of more elements a part is looked at.
                bool whole = tensors.All(t => before[t].Length <= 4096);
                Assert.Equal(ratio, group.UpdateRatio, ratio * (whole ? 1e-5 : 0.1));
            }

            Assert.Equal(first ??= groups, groups);
        }
    }

    private static double Square(float[] values) => values.Sum(v => (double)v * v);

    private static bool IsOf(string group, string tensor) =>
        group.StartsWith("layer ", StringComparison.Ordinal) ? tensor.Contains($"layers.{group[6..]}.", StringComparison.Ordinal)
        : group == "embedding" ? tensor.Contains("embed_tokens", StringComparison.Ordinal)
        : !tensor.Contains("layers.", StringComparison.Ordinal) && !tensor.Contains("embed_tokens", StringComparison.Ordinal);
}
