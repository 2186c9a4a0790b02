using System.Collections.Immutable;
using Dataflow.Cpu.Tests;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// Steps on the CUDA device over the emulated driver, which checks every access and every order: against PyTorch's float64 within the CPU
/// device's bounds, and against themselves under other budgets and orders.
/// </summary>
public class GoldenTests
{
    private const double GradientBound = 1e-5;
    private const double LossBound = 1e-6;

    // Rounding to bf16 alone costs that much more than PyTorch's own bf16 run at most.
    private const double Bf16Factor = 2;

    [Theory]
    [InlineData("llama-small", 64)]
    [InlineData("qwen3-small", 48)]
    [InlineData("llama-long", 128)]
    [InlineData("llama-documents", 48)]
    [InlineData("llama-hd64", 64)]
    [InlineData("qwen3-hd128", 160)]
    public void Gradients_in_fp32_are_those_of_PyTorch(string name, int chunk)
    {
        var golden = new GoldenCase(name);
        var (loss, gradients) = Gradients(golden, GoldenCase.Tight(Request(golden, Recipe.Fp32, chunk)));
        Assert.InRange(Math.Abs(loss - golden.Loss) / golden.Loss, 0, LossBound);
        foreach (var (tensor, want) in golden.File("gradients.safetensors"))
        {
            Assert.InRange(GoldenCase.RelativeL2(gradients[tensor], want), 0, GradientBound);
        }
    }

    [Theory]
    [InlineData("llama-small", 64)]
    [InlineData("llama-hd64", 64)]
    [InlineData("qwen3-hd128", 160)]
    public void Gradients_in_bf16_err_no_more_than_twice_as_much_as_those_of_PyTorch_in_bf16(string name, int chunk)
    {
        var golden = new GoldenCase(name);
        var (_, gradients) = Gradients(golden, GoldenCase.Plan(Request(golden, Recipe.Bf16, chunk)));
        foreach (var (tensor, want) in golden.File("gradients.safetensors"))
        {
            double bound = Bf16Factor * golden.PyTorchError("pytorch_bfloat16", "gradient_relative_l2", tensor);
            Assert.InRange(GoldenCase.RelativeL2(gradients[tensor], want), 0, bound);
        }
    }

    [Theory]
    [InlineData("llama-hd64", "bf16", 64)]
    [InlineData("qwen3-small", "fp32", 48)]
    public void Bits_depend_neither_on_budgets_nor_on_what_is_saved_nor_on_order(string name, string dtype, int chunk)
    {
        var golden = new GoldenCase(name);
        var recipe = Recipe.All.Single(r => r.Name == dtype);
        var request = Request(golden, recipe, chunk);
        var first = Gradients(golden, GoldenCase.Plan(request), seed: 1).Gradients;
        ImmutableArray<(PlanRequest Request, bool Tight, ulong Seed)> others =
        [
            (request, true, 2), (request with { SaveSet = TensorSet.None }, true, 3), (request with { SaveSet = TensorSet.Kv | TensorSet.Attention }, false, 4),
        ];
        foreach (var (other, tight, seed) in others)
        {
            var again = Gradients(golden, tight ? GoldenCase.Tight(other) : GoldenCase.Plan(other), seed).Gradients;
            Assert.All(first, tensor => Assert.Equal(tensor.Value, again[tensor.Key]));
        }
    }

    private static PlanRequest Request(GoldenCase golden, Recipe recipe, int chunk) =>
        golden.Request(recipe, WorkloadKind.Gradients, pins: new GeometryPins(chunk));

    private static (double Loss, Dictionary<string, float[]> Gradients) Gradients(GoldenCase golden, TrainingPlan plan, ulong seed = 0)
    {
        var gpu = EmulatedDriver.Gpu;
        CudaEmulation.Seed(seed);
        using var context = CudaContext.Open(gpu);
        using var device = new CudaDevice(plan.Schedule, plan.Workload, context, KernelImages.Emulated(EmulatedDriver.Folder));
        var trainer = golden.Trainer(plan, device);
        var report = trainer.Step(golden.Tokens(), [.. Enumerable.Range(0, golden.Rows)], golden.AdamW);
        return (report.Loss, GoldenCase.Tensors(trainer.Gradients));
    }
}
