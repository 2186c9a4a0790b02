using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cpu.Tests;

/// <summary>Five AdamW steps on the same batch against PyTorch in float64: losses before each step, and how far every weight moved.</summary>
public class GoldenTrajectoryTests
{
    public static TheoryData<string> Cases => [.. GoldenCase.Names];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Roomy(string name) => Check(name, c => GoldenCase.Plan(c.Request(Recipe.Fp32, WorkloadKind.Training)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Tight(string name) => Check(name, c => GoldenCase.Tight(c.Request(Recipe.Fp32, WorkloadKind.Training)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void One_row_a_round(string name) => Check(name, c => GoldenCase.Tight(
        c.Request(Recipe.Fp32, WorkloadKind.Training, pins: new GeometryPins(32, c.Seqlen / 32, c.Rows))));

    [Theory]
    [MemberData(nameof(GoldenCase.Cut), MemberType = typeof(GoldenCase))]
    public void With_the_vocabulary_in_blocks(string name, int blocks)
    {
        Check(name, c => GoldenCase.Plan(c.Request(Recipe.Fp32, WorkloadKind.Training, pins: new GeometryPins(VocabularyBlocks: blocks))));
        Check(name, c => GoldenCase.Tight(c.Request(
            Recipe.Fp32, WorkloadKind.Training, pins: new GeometryPins(32, c.Seqlen / 32, c.Rows, blocks))));
    }

    private static void Check(string name, Func<GoldenCase, TrainingPlan> planOf)
    {
        var golden = new GoldenCase(name);
        var plan = planOf(golden);
        using var device = new CpuDevice(plan.Schedule, plan.Workload, 2);
        var trainer = golden.Trainer(plan, device);
        var tokens = golden.Tokens();
        int[] rows = [.. Enumerable.Range(0, golden.Rows)];
        foreach (double want in golden.Losses)
        {
            double loss = trainer.Step(tokens, rows, golden.AdamW).Loss;
            Assert.Equal(0, (loss - want) / want, 1e-5);
        }

        var start = golden.File("model.safetensors");
        var trained = GoldenCase.Tensors(trainer.Weights);
        foreach (var (tensor, want) in golden.File("trained.safetensors"))
        {
            double error = RelativeChange(trained[tensor], want, start[tensor]);
            double bound = Math.Max(1e-4, 3 * golden.PyTorchError("pytorch_float32", "adamw_change_relative_l2", tensor));
            Assert.True(error <= bound, $"{tensor}: the change is off by {error:g3}, bound {bound:g3}");
        }
    }

    private static double RelativeChange(float[] got, float[] want, float[] start)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < want.Length; i++)
        {
            difference += Math.Pow((double)got[i] - want[i], 2);
            norm += Math.Pow((double)want[i] - start[i], 2);
        }

        return Math.Sqrt(difference / norm);
    }
}
