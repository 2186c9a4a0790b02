using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>Algorithms are chosen before the first step: for every product that an update by Muon asks for.</summary>
public sealed class MuonProductsTests
{
    [Theory]
    [InlineData(16, 40, false, -4.775)]
    [InlineData(40, 16, false, -4.775)]
    [InlineData(40, 16, true, -4.775)]
    [InlineData(8, 8, false, 0)]
    public void All_products_of_an_update_are_known_beforehand(int rows, int columns, bool transposed, double b)
    {
        var matrix = new MuonMatrix(rows, columns, transposed);
        var iteration = NewtonSchulz.Muon with { B = b };
        var listed = Products.Of(matrix, iteration, DType.BFloat16).ToList();
        var asked = new Recorder();
        new NewtonSchulzProducts(matrix, iteration, DType.BFloat16, 0).Run(asked);
        Assert.Equal(3 * iteration.Steps, asked.Calls.Count);
        Assert.Equal(listed.Select(Anywhere).ToHashSet(), [.. asked.Calls.Select(c => Anywhere(Of(c)))]);
    }

    private static Product Of(GemmArguments c) => new(c.A, c.TransposeA, c.B, c.TransposeB, c.C, c.Addend is not null);

    private static Product Anywhere(Product p) =>
        p with { A = p.A with { Address = 0 }, B = p.B with { Address = 0 }, C = p.C with { Address = 0 } };

    private sealed class Recorder() : KernelStream(null!)
    {
        public List<GemmArguments> Calls { get; } = [];

        public override void Launch<T>(in T call) => Calls.Add((GemmArguments)(object)call);
    }
}
