using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Training with every optimizer in every recipe: a run within the least memory that goes on from its own checkpoint has the bits of an
/// unbroken one within the most, in weights and in all that the optimizer keeps.
/// </summary>
public abstract class OptimizerConformance<TDevice> : ConformanceSuite<TDevice>, IDisposable
    where TDevice : DeviceUnderTest, new()
{
    private const float Clip = 0.1f;
    private readonly string folder = Directory.CreateTempSubdirectory("optimizers-").FullName;

    /// <summary>By name; on a slow device some recipes.</summary>
    public static TheoryData<string, string> Cases =>
        [.. Sample(Optimizer.All.Append(Optimizer.AdamW.Averaged!).SelectMany(o => Recipe.All.Select(r => (o.Name, r.Name))))];

    /// <inheritdoc/>
    public void Dispose()
    {
        Directory.Delete(folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Neither_memory_nor_a_checkpoint_in_between_changes_a_bit(string name, string dtype)
    {
        var (golden, optimizer) = (new GoldenCase("llama-small"), Optimizer.Named(name)!);
        PlanRequest Request(GeometryPins? pins) =>
            golden.Request(Named(dtype), WorkloadKind.ClippedTraining, pins: pins) with
            {
                Optimizer = optimizer,
            };
        var roomy = Verified(GoldenCase.Plan(Request(null)));
        var g = roomy.Workload.Geometry;
        var pins = new GeometryPins(
            g.ChunkTokens,
            g.ChunksPerRound,
            g.Rounds,
            g.VocabularyBlocks,
            g.HeadTokens
        );
        var tight = Verified(GoldenCase.Tight(Request(pins)));
        Assert.All(new[] { roomy, tight }, p => Assert.Equal(optimizer, p.Workload.Optimizer));

        using var most = Device.Open(roomy.Schedule, roomy.Workload, 0);
        var unbroken = golden.Trainer(roomy, most);
        Step(golden, unbroken, optimizer);
        byte[] first = Bits(unbroken);
        Step(golden, unbroken, optimizer);

        using var least = Device.Open(tight.Schedule, tight.Workload, 3);
        var broken = golden.Trainer(tight, least);
        Step(golden, broken, optimizer);
        AssertSame(first, Bits(broken), "the least memory");
        using var store = CheckpointStore.Open(folder, keep: 1, Assert.Fail);
        store.Save(broken.State, new TrainingProgress(1, 0, dtype, g) { Optimizer = name });
        using (var saved = Checkpoint.Open(CheckpointSearch.Find(folder, Assert.Fail).Folder))
        {
            // What other programs read of it is what is trained.
            var stored = Named(dtype).Parameters;
            AssertSame(Bits(broken.State.Trained, stored), Bits(saved.WeightsOf(broken.State.Model), stored), "the saved model");
        }

        var resumed = golden.Trainer(tight, least);
        store.Load(CheckpointSearch.Find(folder, Assert.Fail), resumed);
        Step(golden, resumed, optimizer);
        AssertSame(Bits(unbroken), Bits(resumed), "a checkpoint in between");
        Assert.False(
            first.AsSpan().SequenceEqual(Bits(unbroken)),
            "the second step changed nothing"
        );
    }

    private static void Step(GoldenCase golden, Trainer trainer, Optimizer optimizer) =>
        trainer.Step(golden.Tokens(), golden.AllRows, optimizer.Defaults, Clip);

    private static byte[] Bits(Trainer trainer) =>
        [
            .. Bits((0, GoldenCase.Tensors(trainer.Weights))),
            .. trainer.OptimizerState.SelectMany((_, i) => trainer.State.ValuesOf(i)).SelectMany(t => t.Values),
        ];

    private static byte[] Bits(IWeightSource source, DType type) =>
        [
            .. WeightNames.Enumerate(source.Model).SelectMany(tensor =>
            {
                byte[] bytes = new byte[tensor.ElementCount * type.Size()];
                tensor.Read(source, 0, bytes, type);
                return bytes;
            }),
        ];
}
