using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cpu.Tests;

/// <summary>bf16 storage against float64, with PyTorch's own bfloat16 error as the yardstick.</summary>
public class GoldenBf16Tests
{
    public static TheoryData<string> Cases => [.. GoldenCase.Names];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Roomy(string name) => Check(name, c => GoldenCase.Plan(c.Request(Recipe.Bf16, WorkloadKind.Gradients)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Tight(string name) => Check(name, c => GoldenCase.Tight(c.Request(Recipe.Bf16, WorkloadKind.Gradients)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Chunks_of_32(string name) =>
        Check(name, c => GoldenCase.Plan(c.Request(Recipe.Bf16, WorkloadKind.Gradients, pins: new GeometryPins(32))));

    [Theory]
    [MemberData(nameof(GoldenCase.Cut), MemberType = typeof(GoldenCase))]
    public void With_the_vocabulary_in_blocks(string name, int blocks)
    {
        Check(name, c => GoldenCase.Tight(c.Request(Recipe.Bf16, WorkloadKind.Gradients, pins: new GeometryPins(VocabularyBlocks: blocks))));
        Check(name, c => GoldenCase.Plan(c.Request(Recipe.Bf16, WorkloadKind.Gradients, pins: new GeometryPins(32, VocabularyBlocks: blocks))));
    }

    private static void Check(string name, Func<GoldenCase, TrainingPlan> planOf)
    {
        var golden = new GoldenCase(name);
        var (_, gradients) = golden.Gradients(planOf(golden));
        var want = golden.File("gradients.safetensors");
        foreach (var (tensor, values) in want)
        {
            double error = GoldenCase.RelativeL2(gradients[tensor], values);
            double bound = 2 * golden.PyTorchError("pytorch_bfloat16", "gradient_relative_l2", tensor);
            Assert.True(error <= bound, $"{tensor}: relative error {error:g3}, PyTorch's bound {bound:g3}");
        }

        float[] all = [.. want.Keys.SelectMany(k => gradients[k])], allWanted = [.. want.Values.SelectMany(v => v)];
        Assert.True(GoldenCase.RelativeL2(all, allWanted) < 2e-2);
        Assert.True(Cosine(all, allWanted) > 0.999);
    }

    private static double Cosine(float[] a, float[] b)
    {
        double ab = 0, aa = 0, bb = 0;
        for (int i = 0; i < a.Length; i++)
        {
            ab += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }

        return ab / Math.Sqrt(aa * bb);
    }
}
