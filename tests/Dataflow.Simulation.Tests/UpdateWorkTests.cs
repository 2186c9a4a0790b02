using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Simulation.Tests;

public sealed class UpdateWorkTests
{
    private static readonly ModelConfig s_model = Checkout.Model("micro");

    [Fact]
    public void Blocks_are_a_kernel_of_their_own_and_norms_beside_them_are_not()
    {
        var runs = Of(Optimizer.AdamW8Bit, Recipe.Bf16Stochastic, out var layout);
        long norms = 2 * s_model.ModelDim, matrices = layout.ElementCount - norms;
        Assert.Equal([Kernel.AdamW8Bit, Kernel.Update], runs.Select(r => r.Kernel).Distinct().Order().Reverse());

        // Gradient, weight there and back; a byte for each moment there and back, and two scales of four bytes for 256.
        Assert.Equal(matrices * (4 + 4 + 4 + (16 / 256.0)), BytesOf(runs, Kernel.AdamW8Bit), 1e-6);
        Assert.Equal(norms * (4 + 4 + 8), BytesOf(runs, Kernel.Update), 1e-6);
    }

    [Fact]
    public void An_average_is_a_pass_over_it_and_the_weights()
    {
        foreach (var optimizer in new[] { Optimizer.AdamW8Bit, Optimizer.Muon })
        {
            foreach (var recipe in Recipe.All)
            {
                var without = Of(optimizer, recipe, out var layout);
                var with = Of(optimizer.Averaged!, recipe, out _);
                double more = with.Sum(r => r.Work.Bytes * r.Times) - without.Sum(r => r.Work.Bytes * r.Times);
                Assert.Equal(layout.ElementCount * ((recipe.Master ?? recipe.Parameters).Size() + 8.0), more, 1e-3);
            }
        }
    }

    private static double BytesOf(IEnumerable<KernelRun> runs, Kernel kernel) => runs.Where(r => r.Kernel == kernel).Sum(r => r.Work.Bytes);

    /// <summary>Of a whole layer.</summary>
    private static ImmutableArray<KernelRun> Of(Optimizer optimizer, Recipe recipe, out ParameterLayout layout)
    {
        var geometry = new Geometry(64, 1, 64, 1, 1, 64);
        var workload = new Workload(s_model, recipe, geometry, WorkloadKind.Training) { Optimizer = optimizer };
        var programs = new BlockPrograms(s_model, recipe, geometry);
        layout = programs[new Layer(0)].Parts.Single();
        return new UpdateWork(workload, programs).Of(layout, 0, layout.ElementCount);
    }
}
