using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>Blocks of the vocabulary are a matter of the plan alone: files know nothing of them.</summary>
public abstract class VocabularyConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    /// <summary>Of numbers of blocks.</summary>
    public static TheoryData<string, int, int> Pairs =>
        [
            .. Some<(string, int, int)>(
                [("llama-small", 3, 1), ("llama-small", 1, 2), ("qwen3-small", 3, 1), ("qwen3-small", 2, 3)],
                1,
                "",
                1
            ),
        ];

    /// <summary>Case, blocks when the checkpoint is made, blocks when it is loaded.</summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public void A_checkpoint_made_with_some_blocks_loads_with_others(string name, int saved, int loaded)
    {
        string folder = Directory.CreateTempSubdirectory("vocabulary-").FullName;
        try
        {
            Check(new GoldenCase(name), folder, saved, loaded);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>But for rounding.</summary>
    [Fact]
    public void Loss_and_gradients_are_those_of_the_whole_vocabulary()
    {
        var golden = new GoldenCase("llama-small");
        var (whole, cut) = (OfBlocks(golden, 1), OfBlocks(golden, 3));
        Assert.Equal(whole.Loss, cut.Loss, 1e-6 * whole.Loss);
        foreach (var (tensor, values) in whole.Tensors)
        {
            Assert.True(GoldenCase.RelativeL2(cut.Tensors[tensor], values) <= 1e-6, tensor);
        }
    }

    /// <summary>As torch.nn.Embedding has it under padding_idx: of a tied table's row, what the head adds stays.</summary>
    [Theory]
    [InlineData("llama-small", 1)]
    [InlineData("llama-small", 3)]
    [InlineData("qwen3-small", 1)]
    public void The_padding_ids_row_has_no_gradient_from_its_lookups(string name, int blocks)
    {
        const string table = "model.embed_tokens.weight";
        var golden = new GoldenCase(name);
        int[] first = new int[golden.Seqlen + 1];
        golden.Tokens().Read(0, first);
        int padding = first[5], width = golden.Model.ModelDim;
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(32, VocabularyBlocks: blocks));
        var (trained, masked) = (
            Gradients(golden, GoldenCase.Plan(request)),
            Gradients(golden, GoldenCase.Plan(request with { Model = golden.Model with { PaddingId = padding } }))
        );
        Assert.Equal(trained.Loss, masked.Loss);
        foreach (var (tensor, values) in trained.Tensors)
        {
            float[] got = masked.Tensors[tensor];
            if (tensor == table)
            {
                Assert.NotEqual(values[(padding * width)..][..width], got[(padding * width)..][..width]);
                Assert.Equal(!golden.Model.TiedEmbedding, got[(padding * width)..][..width].All(g => g == 0));
                values.AsSpan(padding * width, width).CopyTo(got.AsSpan(padding * width));
            }

            Assert.Equal(values, got);
        }
    }

    private static void Check(GoldenCase golden, string folder, int saved, int loaded)
    {
        var (before, after) = (Plan(golden, saved), Plan(golden, loaded));
        using var device = Device.Open(before.Schedule, before.Workload, 0);
        var trainer = golden.Trainer(before, device);
        for (int i = 0; i < 2; i++)
        {
            trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW);
        }

        using var store = CheckpointStore.Open(folder, keep: 1, Assert.Fail);
        store.Save(trainer.State, new TrainingProgress(2, 0, "fp32", before.Workload.Geometry));
        var newest = CheckpointSearch.Find(folder, Assert.Fail);
        Assert.Equal(before.Workload.Geometry, newest.Progress.Geometry);
        using var other = Device.Open(after.Schedule, after.Workload, 0);
        var resumed = golden.Trainer(after, other);
        store.Load(newest, resumed);
        AssertSame(trainer.Weights, resumed.Weights);
        AssertSame(trainer.OptimizerState[0], resumed.OptimizerState[0]);
        AssertSame(trainer.OptimizerState[1], resumed.OptimizerState[1]);

        double want = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss,
            got = resumed.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
        Assert.Equal(0, (got - want) / want, 1e-6);
    }

    private static (double Loss, Dictionary<string, float[]> Tensors) OfBlocks(GoldenCase golden, int blocks) =>
        Gradients(
            golden,
            GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(VocabularyBlocks: blocks)))
        );

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
