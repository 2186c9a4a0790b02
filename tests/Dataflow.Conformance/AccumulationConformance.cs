using System.Runtime.InteropServices;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Gradients that add up over rounds of unequal numbers of counted targets, one of them without any, against PyTorch's float64: the loss is
/// the sum over all counted targets of the step divided by their number, never the mean of the rounds' means.
/// </summary>
public abstract class AccumulationConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const int Seqlen = 40;
    private const int RowCount = 8;
    private const int NotCounted = -100;
    private static readonly int[] s_rows = [.. Enumerable.Range(0, RowCount)];

    // Of an AdamW step before which the gradients are no part of the result.
    private static readonly OptimizerSettings s_any = Optimizer.AdamW.Defaults;

    private static string Folder =>
        Path.Combine(Path.GetDirectoryName(new GoldenCase("llama-small").Folder)! + "-optimizers", "accumulation");

    private static JsonElement Golden => JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "expected.json"))).RootElement;

    private static string From => Path.Combine(Folder, Golden.GetProperty("base").GetString()!);

    // The golden gradients are those of an embedding that knows no padding id, and two of the tokens are the one that the config names.
    private static ModelConfig Model => ModelFiles.LoadConfig(From) with { PaddingId = null };

    /// <summary>Rounds of a step: of 8 rows, of 4, of 2 and of 1; tokens of a chunk, which rows need not divide.</summary>
    public static TheoryData<int, int> Rounds => [.. Sample<(int, int)>([(4, 80), (1, 80), (8, 40), (4, 32), (1, 32), (2, 160)])];

    [Theory]
    [MemberData(nameof(Rounds))]
    public void Eight_steps_are_those_of_all_counted_targets_together(int rounds, int chunk)
    {
        var (golden, model) = (Golden, Model);
        var rows = Rows(model);
        var gradients = Run(model, rounds, chunk, WorkloadKind.Gradients, (trainer, _) =>
        {
            var report = trainer.Step(rows, s_rows, s_any);
            Assert.Equal(golden.GetProperty("counted_targets_of_each_micro_batch").EnumerateArray().Sum(c => c.GetInt32()),
                report.CountedTargets);
            Assert.Equal(0, (report.Loss / golden.GetProperty("first_step").GetProperty("loss").GetDouble()) - 1, 1e-6);
            return GoldenCase.Tensors(trainer.Gradients);
        });
        foreach (var (name, want) in Read("gradients.safetensors"))
        {
            double error = GoldenCase.RelativeL2(gradients[name], want);
            Assert.True(error <= 1e-5, $"gradient of {name} is off by {error:g3}");
        }

        var adamW = golden.GetProperty("adamw");
        float Get(string key) => (float)adamW.GetProperty(key).GetDouble();
        var settings = new OptimizerSettings(Get("lr"), Get("beta1"), Get("beta2"), Get("eps"), Get("weight_decay"));
        var trained = Run(model, rounds, chunk, WorkloadKind.Training, (trainer, start) =>
        {
            foreach (var want in golden.GetProperty("losses_before_each_step").EnumerateArray())
            {
                Assert.Equal(0, (trainer.Step(rows, s_rows, settings).Loss / want.GetDouble()) - 1, 1e-5);
            }

            return GoldenCase.Tensors(trainer.Weights).ToDictionary(t => t.Key, t => Moved(t.Value, start[t.Key]));
        });
        var begun = Start(model);
        var yardstick = golden.GetProperty("pytorch_float32").GetProperty("change_relative_l2").GetProperty("per_tensor");
        foreach (var (name, want) in Read("trained.safetensors"))
        {
            double error = GoldenCase.RelativeL2(trained[name], Moved(want, begun[name]));
            double bound = Math.Max(1e-4, 3 * yardstick.GetProperty(name).GetDouble());
            Assert.True(error <= bound, $"{name}: the change is off by {error:g3}, bound {bound:g3}");
        }
    }

    /// <summary>Whole sequences add up in their order, wherever rounds begin.</summary>
    [Fact]
    public void Rounds_of_8_rows_of_2_and_of_1_give_the_same_bits()
    {
        var model = Model;
        var rows = Rows(model);
        byte[] Of(int rounds) => Run(model, rounds, 40, WorkloadKind.Gradients, (trainer, _) =>
            Bits((trainer.Step(rows, s_rows, s_any).Loss, GoldenCase.Tensors(trainer.Gradients))));
        byte[] want = Of(1);
        AssertSame(want, Of(4), "4 rounds");
        AssertSame(want, Of(8), "8 rounds");
    }

    private static T Run<T>(
        ModelConfig model,
        int rounds,
        int chunk,
        WorkloadKind kind,
        Func<Trainer, Dictionary<string, float[]>, T> train
    )
    {
        int chunks = RowCount / rounds * Seqlen / chunk;
        var request = new PlanRequest(
            model,
            Recipe.Fp32,
            kind,
            Seqlen,
            RowCount,
            new GeometryPins(chunk, chunks * chunk == RowCount / rounds * Seqlen ? chunks : chunks + 1, rounds),
            GoldenCase.Roomy
        );
        var plan = Verified(GoldenCase.Tight(request));
        Assert.Equal(rounds, plan.Workload.Geometry.Rounds);
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        using var checkpoint = Checkpoint.Open(From);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(checkpoint.WeightsOf(model));
        return train(trainer, GoldenCase.Tensors(trainer.Weights));
    }

    private static WeightedRows Rows(ModelConfig model)
    {
        int[] labels = [.. MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(Path.Combine(Folder, "labels.bin")))];
        return new WeightedRows(
            TokenSources.Open(Folder, Seqlen, model.VocabSize),
            (row, target) => labels[(row * Seqlen) + target] == NotCounted ? 0 : 1,
            asMask: true
        );
    }

    private static Dictionary<string, float[]> Start(ModelConfig model)
    {
        using var checkpoint = Checkpoint.Open(From);
        return GoldenCase.Tensors(checkpoint.WeightsOf(model));
    }

    private static Dictionary<string, float[]> Read(string name)
    {
        using var file = SafetensorsFile.Open(Path.Combine(Folder, name));
        return file.Tensors.ToDictionary(t => t.Name, t =>
        {
            float[] values = new float[t.Count];
            t.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return values;
        });
    }

    private static float[] Moved(float[] to, float[] from) => [.. to.Zip(from, (a, b) => a - b)];
}
