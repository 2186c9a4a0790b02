using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow.Cpu.Tests;

/// <summary>Losses and gradients of planned, offloaded, chunked, recomputed steps against PyTorch in float64.</summary>
public class GoldenGradientTests
{
    public static TheoryData<string> Cases => [.. GoldenCase.Names];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Fp32_roomy(string name) => CheckFp32(name, c => GoldenCase.Plan(c.Request(Recipe.Fp32, WorkloadKind.Gradients)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Fp32_tight(string name) => CheckFp32(name, c => GoldenCase.Tight(c.Request(Recipe.Fp32, WorkloadKind.Gradients)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Fp32_chunks_of_32(string name) =>
        CheckFp32(name, c => GoldenCase.Tight(c.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(32))));

    [Theory]
    [MemberData(nameof(GoldenCase.Cut), MemberType = typeof(GoldenCase))]
    public void Fp32_with_the_vocabulary_in_blocks(string name, int blocks)
    {
        PlanRequest Request(GoldenCase c, int? chunk) => c.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk, VocabularyBlocks: blocks));
        CheckFp32(name, c => GoldenCase.Plan(Request(c, null)));
        CheckFp32(name, c => GoldenCase.Tight(Request(c, null)));
        CheckFp32(name, c => GoldenCase.Tight(Request(c, 32)));
    }

    /// <summary>Documents that cross chunk borders, and a chunk that rows do not divide.</summary>
    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(48)]
    [InlineData(128)]
    public void Packed_documents_may_cross_chunk_borders(int chunk)
    {
        CheckFp32("llama-documents", c => GoldenCase.Plan(c.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk))));
        CheckFp32("llama-documents", c => GoldenCase.Tight(c.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk))));
    }

    private static void CheckFp32(string name, Func<GoldenCase, TrainingPlan> planOf)
    {
        var golden = new GoldenCase(name);
        var plan = planOf(golden);
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, [plan.Budget.Device, plan.Budget.Host]));
        var (loss, gradients) = golden.Gradients(plan);
        Assert.Equal(0, (loss - golden.Loss) / golden.Loss, 1e-6);
        foreach (var (tensor, want) in golden.File("gradients.safetensors"))
        {
            double error = GoldenCase.RelativeL2(gradients[tensor], want);
            Assert.True(error <= 1e-5, $"{tensor}: relative error {error:g3}");
        }
    }
}
