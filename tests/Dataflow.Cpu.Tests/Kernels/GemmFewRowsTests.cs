using Dataflow.Cpu.Kernels;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>Products of few rows against tiles, which <see cref="GemmTests"/> holds against the definition.</summary>
public sealed class GemmFewRowsTests : KernelTest
{
    private delegate void Product(ThreadTeam team, Matrix a, Transpose ta, Matrix b, in GemmResult to);

    public static TheoryData<string, DType> Kernels
    {
        get
        {
            var data = new TheoryData<string, DType>();
            foreach (string kernel in new[] { "selected", "512", "256", "scalar" })
            {
                data.Add(kernel, DType.Float32);
                data.Add(kernel, DType.BFloat16);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Every_number_of_rows_gives_the_bits_of_tiles(string kernel, DType weights)
    {
        int turn = 0;
        foreach ((int n, int k) in new[] { (1, 1), (16, 32), (7, 40), (75, 261), (48, 128), (33, 0), (130, 95) })
        {
            Tensor b = New(n, k, weights, n % 3).Random(100 + n);
            Tensor bias = New(1, n).Random(200 + n);
            for (int m = 1; m <= 17; m++, turn++)
            {
                DType other = turn % 2 == 0 ? DType.Float32 : DType.BFloat16;
                Tensor a = New(m, k, other, 3).Random(turn);
                Tensor addend = New(m, n, weights, 5).Random(300 + turn);
                GemmResult to = new(default)
                {
                    Addend = turn % 3 == 0 ? null : addend.M,
                    Bias = turn % 4 < 2 ? null : bias.M,
                    Scale = turn % 5 == 0 ? 0.22f : 1,
                };
                AssertAlike(kernel, a, Transpose.No, b, to, New(m, n, other, 4), threads: 1 + (turn % 3));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_transposed_left_side_and_an_accumulated_result_give_the_bits_of_tiles(string kernel, DType weights)
    {
        const int N = 37, K = 70;
        Tensor b = New(N, K, weights, 1).Random(1);
        foreach (int m in new[] { 1, 5, 12 })
        {
            Tensor a = New(K, m, weights, 2).Random(m);
            Tensor c = New(m, N, weights).Random(3);
            AssertAlike(kernel, a, Transpose.Yes, b, new(default) { Addend = c.M }, c, threads: 2);
        }
    }

    /// <summary>Shares of many jobs, and rows that lie apart in memory.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public void Columns_of_many_jobs_give_the_bits_of_tiles(string kernel, DType weights)
    {
        const int N = 1003, K = 296;
        Tensor b = New(N, K, weights, 9).Random(1);
        foreach (int m in new[] { 1, 3 })
        {
            AssertAlike(kernel, New(m, K).Random(m), Transpose.No, b, new(default), New(m, N), threads: 3);
        }
    }

    /// <summary>A difference between chains that begin at 0 and sums that do shows in the sign of a zero.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public void Negative_zeros_are_those_of_tiles(string kernel, DType weights)
    {
        Tensor b = New(40, 70, weights).Fill(1e-30);
        foreach (int m in new[] { 1, 2, 9 })
        {
            AssertAlike(kernel, New(m, 70).Fill(-1e-30), Transpose.No, b, new(default), New(m, 40), threads: 2);
        }
    }

    private void AssertAlike(string kernel, Tensor a, Transpose ta, Tensor b, GemmResult to, Tensor c, int threads)
    {
        bool accumulates = to.Addend is { } addend && Same(addend, c.M);
        Tensor expected = Own(c.Copy());
        if (!accumulates)
        {
            c.Poison();
            expected.Poison();
        }

        Tiles(kernel)(Team(threads), a.M, ta, b.M, to with { C = expected.M, Addend = accumulates ? expected.M : to.Addend });
        FewRows(kernel)(Team(threads), a.M, ta, b.M, to with { C = c.M });
        c.AssertSameBits(expected);
    }

    private static unsafe bool Same(in Matrix one, in Matrix other) => one.Data == other.Data;

    private static Product FewRows(string kernel) =>
        kernel switch
        {
            "512" => Gemm.RunFewRows<FewRowsKernel512>,
            "256" => Gemm.RunFewRows<FewRowsKernel256>,
            "scalar" => Gemm.RunFewRows<FewRowsKernelScalar>,
            _ => (ThreadTeam team, Matrix a, Transpose ta, Matrix b, in GemmResult to) => Gemm.Run(team, a, ta, b, Transpose.Yes, to),
        };

    private static Product Tiles(string kernel) =>
        kernel switch
        {
            "512" => Tiles<MicroKernel512>,
            "256" => Tiles<MicroKernel256>,
            _ => Tiles<MicroKernelScalar>,
        };

    private static void Tiles<TKernel>(ThreadTeam team, Matrix a, Transpose ta, Matrix b, in GemmResult to)
        where TKernel : struct, IMicroKernel => Gemm.Run<TKernel>(team, a, ta, b, Transpose.Yes, to);
}
