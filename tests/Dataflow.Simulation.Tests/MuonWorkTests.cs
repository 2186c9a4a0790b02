using Dataflow.Model;

namespace Dataflow.Simulation.Tests;

public sealed class MuonWorkTests
{
    [Fact]
    public void Products_have_the_flops_of_the_iteration_and_the_rest_moves_its_operands_once()
    {
        var matrix = new MuonMatrix(6, 4, false);
        foreach (var recipe in Recipe.All)
        {
            var runs = MuonWork.Of(matrix, recipe, NewtonSchulz.Muon);
            Assert.Equal(NewtonSchulz.Muon.Flops(matrix), runs.Sum(r => r.Work.Flops * r.Times), 1e-9);
            Assert.All(runs, r => Assert.Equal(KernelWork.ClassOf(r.Kernel), r.Work.Class));
        }

        double Bytes(Recipe recipe) =>
            MuonWork.Of(matrix, recipe, NewtonSchulz.Muon).Where(r => r.Work.Class == KernelClass.Memory).Sum(r => r.Work.Bytes);

        // Gradient, momentum there and back, update; update there and back; weights there and back, update: nine numbers.
        Assert.Equal(24 * 9 * 4, Bytes(Recipe.Fp32));
        Assert.Equal(24 * 9 * 2, Bytes(Recipe.Bf16));
        Assert.Equal(24 * (4 + 8 + 2 + 4 + 8 + 2 + 2), Bytes(Recipe.Bf16Master));
    }
}
