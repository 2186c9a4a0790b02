using System.Collections.Immutable;
using Dataflow.Conformance;
using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>Stored algorithms of matrix products: measured once, looked up by every run, part of what decides bits.</summary>
[Trait("Slow", "true")]
public sealed class ProductChoiceTests
{
    private static readonly TrainingPlan s_plan = TinyTraining.Plan(WorkloadKind.ClippedTraining, Recipe.Fp32, Optimizer.AdamW);

    private static ProductChoices None => new() { Gpu = EmulatedDriver.Gpu.Name, Library = CublasLt.LibraryVersion };

    [Fact]
    public void All_products_of_a_plan_are_measured_and_those_that_are_stored_stay()
    {
        using var context = CudaContext.Open(EmulatedDriver.Gpu);
        using var tuning = new ProductTuning(context, 0.1);
        var told = new List<string>();
        var all = tuning.Measure(None, s_plan.Schedule, s_plan.Workload, again: false, (what, _) => told.Add(what));
        Assert.True(told.Count > 8);
        Assert.Equal(told.Order(StringComparer.Ordinal), all.All.Keys);
        Assert.All(all.All.Values, c => Assert.True(c.Candidates > 1 && c.Seconds <= c.FirstSeconds));

        // The same bytes again, and nothing more to do.
        var read = ProductChoices.Parse(all.Write(), "a.json");
        Assert.Equal(all.Write(), read.Write());
        told.Clear();
        var more = tuning.Measure(read, s_plan.Schedule, s_plan.Workload, again: false, (what, _) => told.Add(what));
        Assert.Equal(all.Write(), more.Write());
        Assert.Empty(told);
        _ = tuning.Measure(read, s_plan.Schedule, s_plan.Workload, again: true, (what, _) => told.Add(what));
        Assert.Equal(all.All.Count, told.Count);
    }

    [Fact]
    public void A_run_has_the_algorithms_that_are_stored_and_says_which_they_are()
    {
        byte[] first = Train(null);
        var others = Others(c => c.Count - 1);
        byte[] stored = Train(others);
        Assert.NotEqual(first, stored);
        Assert.Equal(stored, Train(ProductChoices.Parse(others.Write(), "a.json")));
        Assert.Equal(first, Train(Others(_ => 0)));
        Assert.Equal(first, Train(None));

        string Identity(ProductChoices choices) => choices.IdentityFor(s_plan.Schedule, s_plan.Workload);
        Assert.Equal($"{EmulatedDriver.Gpu.Name}, cuBLASLt {CublasLt.LibraryVersion}", Identity(None));
        Assert.Matches($"^{Identity(None)}, choices [0-9a-f]{{8}}$", Identity(others));
        Assert.NotEqual(Identity(others), Identity(Others(_ => 0)));

        // What is stored for other products is none of its business.
        var more = others with { All = others.All.Add("bf16 1x1 by bf16 1x1 to bf16", others.All.Values.First()) };
        Assert.Equal(Identity(others), Identity(more));
    }

    [Fact]
    public void What_the_library_does_not_take_is_refused_by_the_name_of_the_product()
    {
        var others = Others(_ => 0);
        var nothing = new ProductChoice(new string('0', 128), 1, 1, 1);
        var broken = others with { Source = "x.json", All = others.All.SetItem(others.All.Keys.First(), nothing) };
        string refusal = Assert.Throws<MachineException>(() => Train(broken)).Message;
        Assert.Contains("does not take the algorithm that x.json has for fp32 ", refusal, StringComparison.Ordinal);
        Assert.Contains("dataflow tune --again", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"gpu\": \"a\", \"cublaslt\": \"12.4.5\", \"products\": {\"b\": {\"algorithm\": \"00\"}}}")]
    [InlineData("{\"gpu\": \"a\", \"cublaslt\": \"new\", \"products\": {}}")]
    public void What_is_no_such_file_is_refused_in_a_sentence(string text) => Assert.StartsWith(
        "a.json holds no choices of products (",
        Assert.Throws<UserErrorException>(() => ProductChoices.Parse(text, "a.json")).Message,
        StringComparison.Ordinal
    );

    /// <summary>Of each product one of the candidates.</summary>
    private static ProductChoices Others(Func<IReadOnlyList<MatmulCandidate>, int> choose)
    {
        using var context = CudaContext.Open(EmulatedDriver.Gpu);
        using var library = CublasLt.Open(context);
        var all = ImmutableSortedDictionary.CreateBuilder<string, ProductChoice>(StringComparer.Ordinal);
        foreach (var shape in Products.Of(s_plan.Schedule, s_plan.Workload).Select(p => ProductShape.Of(p)).Distinct())
        {
            using var problem = shape.Describe();
            using var preference = shape.Preference(Gemm.Workspace);
            var candidates = library.Propose(problem, preference, ProductTuning.Candidates);
            string chosen = ProductChoice.TextOf(candidates[choose(candidates)].Algorithm);
            all.Add(shape.ToString(), new ProductChoice(chosen, 1, 1, candidates.Count));
        }

        return None with { All = all.ToImmutable() };
    }

    private static byte[] Train(ProductChoices? products)
    {
        CudaEmulation.Seed(1);
        using var device = new CudaDevice(
            s_plan.Schedule,
            s_plan.Workload,
            CudaContext.Open(EmulatedDriver.Gpu),
            KernelImages.Emulated(EmulatedDriver.Folder),
            new CudaDeviceSettings { Products = products }
        );
        var trainer = TinyTraining.Trainer(s_plan, s_plan.Schedule, device);
        _ = TinyTraining.Step(s_plan, trainer);
        return
        [
            .. GoldenCase
                .Tensors(trainer.Weights)
                .OrderBy(t => t.Key, StringComparer.Ordinal)
                .SelectMany(t => t.Value.SelectMany(BitConverter.GetBytes)),
        ];
    }
}
