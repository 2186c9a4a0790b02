using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Conformance;

/// <summary>
/// Five AdamW steps on the same batch against PyTorch in float64: losses before each step, and how far every weight moved.
/// </summary>
public abstract class TrajectoryConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly string[] s_shapes = ["roomy", "tight", "one row a round"];

    /// <summary>Golden cases and shapes of a plan.</summary>
    public static TheoryData<string, string> Cases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string name in Sample(GoldenCase.Names.Where(Affords)))
            {
                foreach (string shape in Some(s_shapes, 1, name, 0))
                {
                    data.Add(name, shape);
                }
            }

            return data;
        }
    }

    /// <summary>Cases with their vocabulary in blocks.</summary>
    public static TheoryData<string, int> Cut => GoldenCase.CutFor(name => !Device.IsSlow || name == "qwen3-small");

    /// <summary>A vocabulary that is whole, and one in blocks.</summary>
    public static TheoryData<string, int?> Whole => [.. Sample<(string, int?)>([("llama-small", null), ("qwen3-small", 2)])];

    /// <summary>Whole vocabularies.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Five_steps_are_those_of_PyTorch(string name, string shape) => Check(name, shape, null);

    /// <summary>The same with updates block by block.</summary>
    [Theory]
    [MemberData(nameof(Cut))]
    public void Five_steps_with_the_vocabulary_in_blocks(string name, int blocks)
    {
        foreach (string shape in Some(["roomy", "one row a round"], 1, name, blocks))
        {
            Check(name, shape, blocks);
        }
    }

    /// <summary>
    /// fp32 master weights end closer to float64's than weights that round to bf16 at each step, and stochastic rounding does not lose the
    /// way.
    /// </summary>
    [Theory]
    [MemberData(nameof(Whole))]
    public void Better_recipes_follow_PyTorch_more_closely(string name, int? blocks)
    {
        var golden = new GoldenCase(name);
        double Error(Recipe recipe)
        {
            var plan = GoldenCase.Tight(golden.Request(recipe, WorkloadKind.Training, pins: new GeometryPins(VocabularyBlocks: blocks)));
            using var device = Device.Open(plan.Schedule, plan.Workload, 0);
            var trainer = golden.Trainer(plan, device);
            foreach (double want in golden.Losses)
            {
                Assert.Equal(0, (trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss - want) / want, 1e-2);
            }

            var start = golden.File("model.safetensors");
            var trained = GoldenCase.Tensors(trainer.MasterWeights ?? trainer.Weights);
            var gradients = golden.File("gradients.safetensors");
            return golden
                .File("trained.safetensors")
                .Average(t => GoldenCase.RelativeChange(trained[t.Key], t.Value, start[t.Key], gradients[t.Key]));
        }

        var (plain, master, stochastic) = (Error(Recipe.Bf16), Error(Recipe.Bf16Master), Error(Recipe.Bf16Stochastic));
        Assert.True(
            master < plain / 2 && stochastic < 2 * plain,
            $"off by {plain:g3} in bf16, {master:g3} with master weights, {stochastic:g3} with stochastic rounding"
        );
    }

    private static void Check(string name, string shape, int? blocks)
    {
        var golden = new GoldenCase(name);
        var pins =
            shape == "one row a round"
                ? new GeometryPins(32, golden.Seqlen / 32, golden.Rows, blocks)
                : new GeometryPins(VocabularyBlocks: blocks);
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Training, pins: pins);
        var plan = shape == "roomy" ? GoldenCase.Plan(request) : GoldenCase.Tight(request);
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = golden.Trainer(plan, device);
        var tokens = golden.Tokens();
        foreach (double want in golden.Losses)
        {
            double loss = trainer.Step(tokens, golden.AllRows, golden.AdamW).Loss;
            Assert.Equal(0, (loss - want) / want, 1e-5);
        }

        var start = golden.File("model.safetensors");
        var trained = GoldenCase.Tensors(trainer.Weights);
        var gradients = golden.File("gradients.safetensors");
        foreach (var (tensor, want) in golden.File("trained.safetensors"))
        {
            double error = GoldenCase.RelativeChange(trained[tensor], want, start[tensor], gradients[tensor]);
            double bound = Math.Max(1e-4, 3 * golden.PyTorchError("pytorch_float32", "adamw_change_relative_l2", tensor));
            Assert.True(error <= bound, $"{tensor}: the change is off by {error:g3}, bound {bound:g3}");
        }
    }
}
