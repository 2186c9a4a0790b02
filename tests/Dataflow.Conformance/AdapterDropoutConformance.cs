using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>Dropout of adapters: by seed and step, whatever the chunks; gradients are those of the loss with what it left out.</summary>
public abstract class AdapterDropoutConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const double Rate = 0.25;

    /// <summary>An adapter of every matrix of the layers, one of fused matrices, one of the head.</summary>
    public static TheoryData<string> Cases => ["all-linear", "phi3-fused", "head"];

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_is_left_out_does_not_depend_on_chunks(string name)
    {
        var golden = new LoraCase(name).WithDropout(Rate);
        var (loss, want) = Gradients(golden, chunk: golden.Seqlen * golden.Rows, seed: 3);
        var (other, got) = Gradients(golden, chunk: 8, seed: 3);
        Assert.Equal(0, (other - loss) / loss, 1e-6);
        foreach (var (tensor, values) in want.Where(t => t.Value.Any(v => v != 0)))
        {
            double error = GoldenCase.RelativeL2(got[tensor], values);
            Assert.True(error <= 1e-5, $"{tensor}: relative error {error:g3}");
        }

        Assert.NotEqual(loss, Gradients(golden, chunk: 8, seed: 4).Loss);
        Assert.NotEqual(loss, Gradients(new LoraCase(name), chunk: 8, seed: 3).Loss);
    }

    /// <summary>By how much the loss changes along a direction in which A and B are moved.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_are_those_of_the_loss(string name)
    {
        const float step = 0.02f;
        var golden = new LoraCase(name).WithDropout(Rate);
        var (_, gradients) = Gradients(golden, chunk: 8, seed: 5);
        foreach (string kind in new[] { "lora_A", "lora_B" })
        {
            var direction = gradients.Where(g => g.Key.Contains(kind, StringComparison.Ordinal)).ToDictionary();
            double length = Math.Sqrt(direction.Values.Sum(g => g.Sum(v => (double)v * v)));
            float By(float by, string tensor, int i) => direction.TryGetValue(tensor, out var d) ? by * d[i] / (float)length : 0;
            double Moved(float by) => Gradients(golden, chunk: 8, seed: 5, (tensor, i) => By(by, tensor, i)).Loss;
            double slope = (Moved(step) - Moved(-step)) / (2 * step);
            Assert.Equal(1, slope / length, 0.01);
        }
    }

    [Fact]
    public void Nothing_is_left_out_where_the_loss_is_measured()
    {
        var golden = new LoraCase("all-linear").WithDropout(Rate);
        var plan = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Training, new GeometryPins(8)));
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var evaluation = Planner.Evaluation(plan);
        using var beside = device.For(evaluation, plan.Workload with { Kind = WorkloadKind.Evaluation });
        var trainer = golden.Trainer(plan, device, new Executor(evaluation, beside));
        Assert.Equal(0, (trainer.Evaluate(golden.Tokens(), golden.AllRows) - golden.Loss) / golden.Loss, 1e-6);
    }

    private static (double Loss, Dictionary<string, float[]> Tensors) Gradients(
        LoraCase golden, int chunk, ulong seed, Func<string, int, float>? moved = null)
    {
        var plan = Verified(GoldenCase.Tight(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, new GeometryPins(chunk))));
        using var device = Device.Open(plan.Schedule, plan.Workload, 1);
        var trainer = golden.Trainer(plan, device, seed: seed);
        if (moved is not null)
        {
            var start = GoldenCase.Tensors(trainer.Weights);
            var there = start.ToDictionary(t => t.Key, t => t.Value.Select((v, i) => v + moved(t.Key, i)).ToArray());
            trainer.Load(new NamedWeights(golden.Model, there));
        }

        double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
        return (loss, GoldenCase.Tensors(trainer.Gradients));
    }
}
