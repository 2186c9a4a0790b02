using Dataflow.Cpu.Tests;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>Steps on the CUDA device over the emulated driver, against PyTorch's float64 and against themselves under other budgets.</summary>
public class GoldenTests
{
    private const double GradientBound = 1e-5;
    private const double LossBound = 1e-6;

    [Theory]
    [InlineData("llama-small", 64)]
    [InlineData("qwen3-small", 48)]
    [InlineData("llama-long", 128)]
    [InlineData("llama-documents", 48)]
    public void Gradients_in_fp32_are_those_of_PyTorch(string name, int chunk)
    {
        var golden = new GoldenCase(name);
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk));
        var (loss, gradients) = Gradients(golden, GoldenCase.Tight(request));
        Assert.InRange(Math.Abs(loss - golden.Loss) / golden.Loss, 0, LossBound);
        foreach (var (tensor, want) in golden.File("gradients.safetensors"))
        {
            Assert.InRange(GoldenCase.RelativeL2(gradients[tensor], want), 0, GradientBound);
        }
    }

    private static (double Loss, Dictionary<string, float[]> Gradients) Gradients(GoldenCase golden, TrainingPlan plan)
    {
        using var context = CudaContext.Open(EmulatedDriver.Gpu);
        using var device = new CudaDevice(plan.Schedule, plan.Workload, context, KernelImages.Emulated(EmulatedDriver.Folder));
        var trainer = golden.Trainer(plan, device);
        var report = trainer.Step(golden.Tokens(), [.. Enumerable.Range(0, golden.Rows)], golden.AdamW);
        return (report.Loss, GoldenCase.Tensors(trainer.Gradients));
    }
}
