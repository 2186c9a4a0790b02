using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>Every family starts from a seed as one that has learnt nothing: each token is as likely as any other.</summary>
public sealed class InitialValuesTests
{
    private const double DefaultDeviation = 0.02;

    public static TheoryData<string> Families => [.. GoldenCase.Families];

    [Theory]
    [MemberData(nameof(Families))]
    public void The_first_loss_is_that_of_even_chances(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        if (golden.Model.LogitScale != 1)
        {
            return; // its logits are scaled, and tell nothing
        }

        var plan = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients));
        using var device = new CpuDevice(plan.Schedule, plan.Workload, threads: 2);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(WeightInitialiser.Weights(golden.Model, 1));
        double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
        Assert.Equal(1, loss / Math.Log(golden.Model.VocabSize), 0.05);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Norms_change_nothing_biases_are_0_and_matrices_are_normal(string name)
    {
        var model = GoldenCase.OfFamily(name).Model;
        double deviation = model.Origin.InitialDeviation ?? DefaultDeviation;
        var source = WeightInitialiser.Weights(model, 3);
        foreach (var binding in WeightNames.Enumerate(model))
        {
            float[] values = new float[binding.ElementCount];
            binding.Read(source, 0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            if (binding.Name.EndsWith(".bias", StringComparison.Ordinal)
                || binding.Name.EndsWith("proj_bias", StringComparison.Ordinal)
                || binding.Tensor.Name is WeightName.RouterCorrection or WeightName.AttentionSinks)
            {
                Assert.All(values, v => Assert.Equal(0, v));
            }
            else if (binding.Tensor.Name == WeightName.Decay)
            {
                // Mamba 2's heads have rates of 1, 2, 3, ...
                var of = model.KindOf(binding.Object.Layer).Recurrence!;
                Assert.All(values, v => Assert.InRange(v, of.Corrects ? Math.Log(of.InitialRates.Least) : 0, Math.Log(16)));
                Assert.Equal(values.Length, values.Distinct().Count());
            }
            else if (
                binding.Tensor.Name == WeightName.StepBias
                && model.KindOf(binding.Object.Layer).Recurrence!.InitialSteps is { } steps)
            {
                var (least, most) = (Math.Min(steps.Least, steps.Most), Math.Max(steps.Least, steps.Most));
                Assert.All(values, v => Assert.InRange(Math.Log(1 + Math.Exp(v)), least * (1 - 1e-6), most * (1 + 1e-6)));
                Assert.Equal(values.Length, values.Distinct().Count());
            }
            else if (binding.Tensor.Rows == 1)
            {
                // Those of Qwen3.5's recurrences are as they are, unlike its other norms.
                bool isPlain = binding.Tensor.Name is WeightName.StepBias or WeightName.RecurrenceNorm or WeightName.Skip;
                Assert.All(values, v => Assert.Equal(isPlain ? 1 : 1 - model.NormWeightOffset, v));
            }
            else
            {
                double root = Math.Sqrt(values.Sum(v => (double)v * v) / values.Length);
                Assert.Equal(1, root / deviation, 8 / Math.Sqrt(values.Length));
            }
        }
    }
}
