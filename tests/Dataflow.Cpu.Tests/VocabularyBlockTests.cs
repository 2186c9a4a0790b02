using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>Blocks of the vocabulary are a matter of the plan alone: files know nothing of them.</summary>
public sealed class VocabularyBlockTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("vocabulary-").FullName;

    [Theory]
    [InlineData("llama-small", 3, 1)]
    [InlineData("llama-small", 1, 2)]
    [InlineData("qwen3-small", 3, 1)]
    [InlineData("qwen3-small", 2, 3)]
    public void A_checkpoint_made_with_some_blocks_loads_with_others(string name, int saved, int loaded)
    {
        var golden = new GoldenCase(name);
        int[] rows = [.. Enumerable.Range(0, golden.Rows)];
        var (before, after) = (Plan(golden, saved), Plan(golden, loaded));
        using var device = new CpuDevice(before.Schedule, before.Workload, 2);
        var trainer = golden.Trainer(before, device);
        for (int i = 0; i < 2; i++)
        {
            trainer.Step(golden.Tokens(), rows, golden.AdamW);
        }

        TrainingCheckpoint.Save(folder, trainer, new TrainingProgress(2, 0, "fp32", before.Workload.Geometry), Recipe.Fp32);
        var (newest, progress) = TrainingCheckpoint.Newest(folder);
        Assert.Equal(before.Workload.Geometry, progress.Geometry);
        using var other = new CpuDevice(after.Schedule, after.Workload, 2);
        var resumed = golden.Trainer(after, other);
        TrainingCheckpoint.Load(newest, resumed, progress);
        AssertSame(trainer.Weights, resumed.Weights);
        AssertSame(trainer.FirstMoments, resumed.FirstMoments);
        AssertSame(trainer.SecondMoments, resumed.SecondMoments);

        double want = trainer.Step(golden.Tokens(), rows, golden.AdamW).Loss, got = resumed.Step(golden.Tokens(), rows, golden.AdamW).Loss;
        Assert.Equal(0, (got - want) / want, 1e-6);
    }

    [Fact]
    public void Loss_and_gradients_are_those_of_the_whole_vocabulary()
    {
        var golden = new GoldenCase("llama-small");
        var (whole, cut) = (Gradients(golden, 1), Gradients(golden, 3));
        Assert.Equal(whole.Loss, cut.Loss, 1e-6 * whole.Loss);
        foreach (var (tensor, values) in whole.Gradients)
        {
            Assert.True(GoldenCase.RelativeL2(cut.Gradients[tensor], values) <= 1e-6, tensor);
        }
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static (double Loss, Dictionary<string, float[]> Gradients) Gradients(GoldenCase golden, int blocks) =>
        golden.Gradients(GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(VocabularyBlocks: blocks))));

    private static TrainingPlan Plan(GoldenCase golden, int blocks) =>
        GoldenCase.Tight(golden.Request(Recipe.Fp32, WorkloadKind.Training, pins: new GeometryPins(32, VocabularyBlocks: blocks)));

    private static void AssertSame(IWeightSource want, IWeightSource got)
    {
        var tensors = GoldenCase.Tensors(got);
        foreach (var (name, values) in GoldenCase.Tensors(want))
        {
            Assert.Equal(values, tensors[name]);
            Assert.Contains(values, v => v != 0);
        }
    }
}
