using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Conformance;

/// <summary>Losses and gradients of planned, offloaded, chunked, recomputed steps against PyTorch in float64.</summary>
public abstract class GradientConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly string[] s_shapes = ["roomy", "tight", "chunks of 32"];

    /// <summary>Golden cases and shapes of a plan.</summary>
    public static TheoryData<string, string> Fp32Cases => Cases(name => IsTaken(name, 0) ? Some(s_shapes, 1, name, 1) : []);

    /// <summary>The same in bf16.</summary>
    public static TheoryData<string, string> Bf16Cases => Cases(name => IsTaken(name, 1) ? Some(s_shapes, 1, name, 0) : []);

    /// <summary>Cases with their vocabulary in blocks.</summary>
    public static TheoryData<string, int> Cut => GoldenCase.CutFor(name => IsTaken(name, 0));

    /// <summary>fp32: the bounds are rounding.</summary>
    [Theory]
    [MemberData(nameof(Fp32Cases))]
    public void Gradients_in_fp32_are_those_of_PyTorch(string name, string shape)
    {
        var golden = new GoldenCase(name);
        CheckFp32(golden, Shaped(golden, Recipe.Fp32, shape, 1));
    }

    /// <summary>bf16 storage against float64, with PyTorch's own bfloat16 error as the yardstick.</summary>
    [Theory]
    [MemberData(nameof(Bf16Cases))]
    public void Gradients_in_bf16_err_at_most_twice_as_much_as_those_of_PyTorch_in_bf16(string name, string shape)
    {
        var golden = new GoldenCase(name);
        CheckBf16(golden, Shaped(golden, Recipe.Bf16, shape, 1));
    }

    /// <summary>The head's and the embedding's matrices by blocks of rows.</summary>
    [Theory]
    [MemberData(nameof(Cut))]
    public void Blocks_of_the_vocabulary_in_fp32(string name, int blocks)
    {
        var golden = new GoldenCase(name);
        foreach (string shape in Some(s_shapes, 1, name, blocks))
        {
            CheckFp32(golden, Shaped(golden, Recipe.Fp32, shape, blocks));
        }
    }

    /// <summary>The same in bf16.</summary>
    [Theory]
    [MemberData(nameof(Cut))]
    public void Blocks_of_the_vocabulary_in_bf16(string name, int blocks)
    {
        var golden = new GoldenCase(name);
        foreach (string shape in Some(s_shapes, 1, name, blocks + 1))
        {
            CheckBf16(golden, Shaped(golden, Recipe.Bf16, shape, blocks));
        }
    }

    /// <summary>Documents that cross chunk borders, and a chunk that rows do not divide.</summary>
    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(48)]
    [InlineData(128)]
    public void Packed_documents_may_cross_chunk_borders(int chunk)
    {
        var golden = new GoldenCase("llama-documents");
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk));
        foreach (var planOf in Some<Func<PlanRequest, TrainingPlan>>([GoldenCase.Plan, GoldenCase.Tight], 1, "", chunk / 16))
        {
            CheckFp32(golden, planOf(request));
        }
    }

    /// <summary>On a slow device a third of the cases, and all of them in a soak run.</summary>
    private static bool IsTaken(string name, int third) =>
        Affords(name) && (!Device.IsSlow || IsSoak || Array.IndexOf(GoldenCase.Names, name) % 3 == third);

    private static TheoryData<string, string> Cases(Func<string, IEnumerable<string>> shapesOf)
    {
        var data = new TheoryData<string, string>();
        foreach (string name in GoldenCase.Names)
        {
            foreach (string shape in shapesOf(name))
            {
                data.Add(name, shape);
            }
        }

        return data;
    }

    private static TrainingPlan Shaped(GoldenCase golden, Recipe recipe, string shape, int blocks)
    {
        PlanRequest Request(int? chunk) =>
            golden.Request(recipe, WorkloadKind.Gradients, pins: new GeometryPins(chunk, VocabularyBlocks: blocks > 1 ? blocks : null));
        return shape switch
        {
            "roomy" => GoldenCase.Plan(Request(null)),
            "tight" => GoldenCase.Tight(Request(null)),
            _ => GoldenCase.Tight(Request(32)),
        };
    }

    private static void CheckFp32(GoldenCase golden, TrainingPlan plan)
    {
        var (loss, gradients) = Gradients(golden, Verified(plan));
        Assert.Equal(0, (loss - golden.Loss) / golden.Loss, 1e-6);
        foreach (var (tensor, want) in golden.File("gradients.safetensors"))
        {
            double error = GoldenCase.RelativeL2(gradients[tensor], want);
            Assert.True(error <= 1e-5, $"{tensor}: relative error {error:g3}");
        }
    }
}
