using Dataflow.Cpu.Kernels;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class GemmTests : KernelTest
{
    private delegate void Product(
        ThreadTeam team,
        Matrix a,
        Transpose ta,
        Matrix b,
        Transpose tb,
        Matrix c,
        Matrix? addend,
        Matrix? bias = null
    );

    public static TheoryData<string> MicroKernels => ["selected", "512", "256", "scalar"];

    public static TheoryData<int, int, int> Shapes =>
        new()
        {
            { 1, 1, 1 },
            { 12, 32, 256 },
            { 13, 33, 257 },
            { 5, 100, 515 },
            { 70, 6, 30 },
            { 205, 47, 19 },
            { 3, 5, 0 },
        };

    [Theory]
    [MemberData(nameof(MicroKernels))]
    public void Every_type_transposition_and_addend_is_the_sum_of_short_chains(string kernel)
    {
        const int M = 29;
        const int N = 75;
        const int K = 261;
        DType[] types = [DType.Float32, DType.BFloat16];
        int seed = 0;
        int turn = 0;
        foreach (Transpose ta in Enum.GetValues<Transpose>())
        {
            foreach (Transpose tb in Enum.GetValues<Transpose>())
            {
                foreach (DType aType in types)
                {
                    foreach (DType bType in types)
                    {
                        DType cType = types[(turn + (turn / 4)) % 2];
                        DType addendType = types[((turn / 2) + (turn / 4) + (turn / 8)) % 2];
                        turn++;
                        Tensor a = (ta == Transpose.No ? New(M, K, aType, 3) : New(K, M, aType, 1)).Random(++seed);
                        Tensor b = (tb == Transpose.No ? New(K, N, bType, 5) : New(N, K, bType, 2)).Random(++seed);
                        Tensor addend = New(M, N, addendType, 7).Random(++seed);
                        Tensor c = New(M, N, cType, 4).Poison();
                        Select(kernel)(Team(), a.M, ta, b.M, tb, c.M, addend.M);
                        c.AssertSameBits(Chain(a, ta, b, tb, addend, cType));

                        c.Poison();
                        Select(kernel)(Team(), a.M, ta, b.M, tb, c.M, null);
                        c.AssertSameBits(Chain(a, ta, b, tb, null, cType));

                        c.Random(++seed);
                        Tensor old = Own(c.Copy());
                        Select(kernel)(Team(), a.M, ta, b.M, tb, c.M, c.M);
                        c.AssertSameBits(Chain(a, ta, b, tb, old, cType));
                    }
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_shape_agrees_with_the_definition(int m, int n, int k)
    {
        Tensor a = New(m, k).Random(1);
        Tensor b = New(n, k).Random(2);
        foreach (string kernel in new[] { "selected", "512", "256", "scalar" })
        {
            Tensor c = New(m, n).Poison();
            Select(kernel)(Team(3), a.M, Transpose.No, b.M, Transpose.Yes, c.M, null);
            c.AssertClose(Definition(a, b));
            c.AssertSameBits(Chain(a, Transpose.No, b, Transpose.Yes, null, DType.Float32));
        }
    }

    [Theory]
    [MemberData(nameof(MicroKernels))]
    public void A_bias_is_added_to_every_row_before_the_sum_is_rounded(string kernel)
    {
        const int Rows = 29,
            Columns = 75,
            Depth = 67;
        foreach (DType type in new[] { DType.Float32, DType.BFloat16 })
        {
            Tensor a = New(Rows, Depth, type, 3).Random(1);
            Tensor b = New(Columns, Depth, type, 2).Random(2);
            Tensor bias = New(1, Columns, type).Random(3, scale: 4);
            Tensor addend = New(Rows, Columns, type, 5).Random(4);
            foreach (Tensor? plus in new[] { null, addend })
            {
                Tensor c = New(Rows, Columns, type, 4).Poison();
                Select(kernel)(Team(3), a.M, Transpose.No, b.M, Transpose.Yes, c.M, plus?.M, bias.M);
                double[,] expected = Definition(a, b);
                Tensor sums = Chain(a, Transpose.No, b, Transpose.Yes, plus, DType.Float32);
                Tensor rounded = New(Rows, Columns, type);
                for (int i = 0; i < Rows; i++)
                {
                    for (int j = 0; j < Columns; j++)
                    {
                        expected[i, j] += (plus?[i, j] ?? 0) + bias[0, j];
                        rounded[i, j] = (float)sums[i, j] + (float)bias[0, j];
                    }
                }

                c.AssertClose(expected);
                c.AssertSameBits(rounded);
            }
        }
    }

    [Fact]
    public void Sizes_beyond_one_tile_agree_with_the_chains()
    {
        Tensor a = New(800, 7).Random(1);
        Tensor b = New(7, 1100, DType.BFloat16).Random(2);
        Tensor c = New(800, 1100).Poison();
        Gemm.Run(Team(1), a.M, Transpose.No, b.M, Transpose.No, c.M, null);
        c.AssertSameBits(Chain(a, Transpose.No, b, Transpose.No, null, DType.Float32));
    }

    /// <summary>Whatever is selected for pairs of bf16 values, the managed kernels define it.</summary>
    [Fact]
    public void Products_of_bf16_at_odd_sizes_and_places_have_the_bits_of_the_managed_kernel()
    {
        int seed = 0;
        (int, int, int)[] shapes = [(1, 33, 1), (21, 1, 2), (25, 31, 3), (37, 65, 33), (193, 70, 255), (24, 1030, 513), (13, 50, 1027)];
        foreach (var (m, n, k) in shapes)
        {
            foreach (Transpose ta in Enum.GetValues<Transpose>())
            {
                foreach (Transpose tb in Enum.GetValues<Transpose>())
                {
                    Tensor a = (ta == Transpose.No ? New(m, k, DType.BFloat16, 3) : New(k, m, DType.BFloat16, 1)).Random(++seed);
                    Tensor b = (tb == Transpose.No ? New(k, n, DType.BFloat16, 5) : New(n, k, DType.BFloat16, 2)).Random(++seed);
                    Tensor expected = New(m, n), c = New(m, n).Poison();
                    Gemm.Run<MicroKernelScalar>(Team(1), a.M, ta, b.M, tb, expected.M, null);
                    Gemm.Run(Team(3), a.M, ta, b.M, tb, c.M, null);
                    c.AssertSameBits(expected);
                }
            }
        }
    }

    [Fact]
    public void Results_depend_on_neither_threads_nor_the_rest_of_the_matrix()
    {
        Tensor a = New(211, 300).Random(1);
        Tensor b = New(300, 190).Random(2);
        Tensor whole = New(211, 190).Poison();
        Gemm.Run(Team(1), a.M, Transpose.No, b.M, Transpose.No, whole.M, null);
        foreach (int threads in ThreadCounts)
        {
            Tensor again = New(211, 190).Poison();
            Gemm.Run(Team(threads), a.M, Transpose.No, b.M, Transpose.No, again.M, null);
            again.AssertSameBits(whole);

            Tensor parts = New(211, 190).Poison();
            foreach ((int first, int count) in new[] { (0, 50), (50, 1), (51, 160) })
            {
                Gemm.Run(
                    Team(threads),
                    a.M.RowRange(first, count),
                    Transpose.No,
                    b.M.ColumnRange(0, 100),
                    Transpose.No,
                    parts.M.RowRange(first, count).ColumnRange(0, 100),
                    null
                );
                Gemm.Run(
                    Team(threads),
                    a.M.RowRange(first, count),
                    Transpose.No,
                    b.M.ColumnRange(100, 90),
                    Transpose.No,
                    parts.M.RowRange(first, count).ColumnRange(100, 90),
                    null
                );
            }

            parts.AssertSameBits(whole);
        }
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void A_scale_multiplies_the_product_alone(DType type)
    {
        const int M = 20, N = 40, K = 70;
        Tensor a = New(M, K, type).Random(1);
        Tensor b = New(N, K, type).Random(2);
        Tensor addend = New(M, N, type).Random(3);
        Tensor bias = New(1, N, type).Random(4);
        Tensor c = New(M, N, type).Poison();
        double[,] expected = addend.Values();
        for (int i = 0; i < M; i++)
        {
            for (int j = 0; j < N; j++)
            {
                expected[i, j] += bias[0, j] + (0.22 * Enumerable.Range(0, K).Sum(k => a[i, k] * b[j, k]));
            }
        }

        Gemm.Run(Team(), a.M, Transpose.No, b.M, Transpose.Yes, new(c.M, addend.M, bias.M, 0.22f));
        c.AssertClose(expected);
    }

    [Fact]
    public void Shapes_that_do_not_fit_are_refused()
    {
        Tensor a = New(4, 5);
        Tensor b = New(5, 6);
        Tensor c = New(4, 7);
        Assert.Throws<ArgumentException>(() => Gemm.Run(Team(), a.M, Transpose.No, b.M, Transpose.No, c.M, null));
        Tensor fits = New(4, 6);
        Assert.Throws<ArgumentException>(() => Gemm.Run(Team(), a.M, Transpose.No, b.M, Transpose.No, fits.M, null, c.M.RowRange(0, 1)));
        Assert.Throws<ArgumentException>(() => Gemm.Run(Team(), a.M, Transpose.Yes, b.M, Transpose.No, c.M, null));
    }

    private static Product Select(string kernel) =>
        kernel switch
        {
            "512" => Gemm.Run<MicroKernel512>,
            "256" => Gemm.Run<MicroKernel256>,
            "scalar" => Gemm.Run<MicroKernelScalar>,
            _ => Gemm.Run,
        };

    private static double[,] Definition(Tensor a, Tensor b)
    {
        double[,] c = new double[a.M.Rows, b.M.Rows];
        for (int i = 0; i < a.M.Rows; i++)
        {
            for (int j = 0; j < b.M.Rows; j++)
            {
                for (int k = 0; k < a.M.Columns; k++)
                {
                    c[i, j] += a[i, k] * b[j, k];
                }
            }
        }

        return c;
    }

    private Tensor Chain(Tensor a, Transpose ta, Tensor b, Transpose tb, Tensor? addend, DType type)
    {
        int rows = ta == Transpose.No ? a.M.Rows : a.M.Columns;
        int depth = ta == Transpose.No ? a.M.Columns : a.M.Rows;
        int columns = tb == Transpose.No ? b.M.Columns : b.M.Rows;
        float[] left = new float[rows * depth];
        float[] right = new float[columns * depth];
        for (int k = 0; k < depth; k++)
        {
            for (int i = 0; i < rows; i++)
            {
                left[(i * depth) + k] = (float)(ta == Transpose.No ? a[i, k] : a[k, i]);
            }

            for (int j = 0; j < columns; j++)
            {
                right[(j * depth) + k] = (float)(tb == Transpose.No ? b[k, j] : b[j, k]);
            }
        }

        Tensor c = New(rows, columns, type);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                float sum = 0;
                for (int first = 0; first < depth; first += 32)
                {
                    float chain = 0;
                    for (int k = first; k < Math.Min(first + 32, depth); k++)
                    {
                        chain = MathF.FusedMultiplyAdd(left[(i * depth) + k], right[(j * depth) + k], chain);
                    }

                    sum = first == 0 ? chain : chain + sum;
                }

                c[i, j] = addend is null ? sum : sum + (float)addend[i, j];
            }
        }

        return c;
    }
}
