using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed unsafe class CrossEntropyTests : KernelTest
{
    [Theory]
    [InlineData(7, 5, DType.Float32)]
    [InlineData(4, 32, DType.Float32)]
    [InlineData(3, 2500, DType.Float32)]
    [InlineData(5, 100, DType.BFloat16)]
    public void Loss_and_gradient_agree_with_the_definition(int rows, int columns, DType type)
    {
        Tensor logits = New(rows, columns, gap: 3).Random(1, scale: 5, offset: 20);
        int[] targets = Targets(rows, columns);
        Tensor dlogits = New(rows, columns, type, 2).Poison();
        float loss = float.NaN;
        CrossEntropy.Run(Team(), logits.M, LogitMap.Identity, Table(targets), 0.25f, dlogits.M, &loss, accumulateLoss: false);
        double expected = Loss(logits.Values(), targets);
        Assert.Equal(expected, loss, 1e-6 * expected);
        dlogits.AssertClose(Gradient(logits.Values(), targets, 0.25));

        CrossEntropy.Run(Team(), logits.M, LogitMap.Identity, Table(targets), 0.25f, dlogits.M, &loss, accumulateLoss: true);
        Assert.Equal(2 * expected, loss, 2e-6 * expected);
    }

    /// <summary>The whole, and the same by blocks: against finite differences of the raw logits.</summary>
    [Theory]
    [InlineData(0.0625f, null, DType.Float32)]
    [InlineData(1f, 30f, DType.Float32)]
    [InlineData(2.5f, 4f, DType.Float32)]
    [InlineData(1f, 30f, DType.BFloat16)]
    public void Logits_are_scaled_and_capped(float scale, float? cap, DType type)
    {
        LogitMap map = new(scale, cap);
        Tensor logits = New(7, 45, gap: 3).Random(1, scale: 10);
        int[] targets = Targets(7, 45);
        double[,] raw = logits.Values();
        double expected = Loss(Mapped(raw, map), targets);
        double[,] one = new double[,] { { 0.25 } };
        double[,] differences = Differences(raw, one, () => new double[,] { { Loss(Mapped(raw, map), targets) } });
        Tensor dlogits = New(7, 45, type, 2).Poison();
        float loss = float.NaN;
        CrossEntropy.Run(Team(), logits.M, map, Table(targets), 0.25f, dlogits.M, &loss, accumulateLoss: false);
        Assert.Equal(expected, loss, 2e-6 * expected);
        dlogits.AssertClose(differences, type == DType.Float32 ? 5e-6 : null);

        Tensor statistics = New(3, 7).Poison();
        LogitStatistics rows = new(statistics.Floats, 7);
        for (int at = 0; at < 45; at += 16)
        {
            Matrix part = logits.M.ColumnRange(at, Math.Min(16, 45 - at));
            CrossEntropy.Statistics(Team(), part, map, Table(targets), at, rows, fold: at > 0);
        }

        CrossEntropy.Loss(Team(), Table(targets), 7, rows, &loss);
        Assert.Equal(expected, loss, 2e-6 * expected);
        dlogits.Poison();
        for (int at = 0; at < 45; at += 16)
        {
            int count = Math.Min(16, 45 - at);
            Matrix to = dlogits.M.ColumnRange(at, count);
            CrossEntropy.Gradient(Team(), logits.M.ColumnRange(at, count), map, Table(targets), at, rows, 0.25f, to);
        }

        dlogits.AssertClose(differences, type == DType.Float32 ? 5e-6 : null);
    }

    [Theory]
    [InlineData(1f, null)]
    [InlineData(2.5f, 4f)]
    public void Loss_and_gradient_of_a_row_are_multiplied_by_its_weight(float scale, float? cap)
    {
        LogitMap map = new(scale, cap);
        Tensor logits = New(7, 45, gap: 3).Random(1, scale: 10), weights = New(1, 7);
        weights.Assign(new double[,] { { 1, 0.37, -2.5, 0, 1e-3, 40, -1 } });
        int[] targets = Targets(7, 45);
        LossTargets weighted = new(Table(targets), weights.Floats);
        double Weighted(double[,] raw) => Enumerable.Range(0, 7).Sum(t =>
            weights.Values()[0, t] * Loss(Mapped(raw, map), [.. targets.Select((target, r) => r == t ? target : -1)]));
        double[,] all = logits.Values();
        double expected = Weighted(all);
        double[,] differences = Differences(all, new double[,] { { 0.25 } }, () => new double[,] { { Weighted(all) } });
        Tensor dlogits = New(7, 45).Poison();
        float loss = float.NaN;
        CrossEntropy.Run(Team(), logits.M, map, weighted, 0.25f, dlogits.M, &loss, accumulateLoss: false);
        Assert.Equal(expected, loss, 2e-6 * Math.Abs(expected));
        dlogits.AssertClose(differences, 4e-5);

        Tensor statistics = New(3, 7).Poison();
        LogitStatistics rows = new(statistics.Floats, 7);
        CrossEntropy.Statistics(Team(), logits.M.ColumnRange(0, 32), map, Table(targets), 0, rows, fold: false);
        CrossEntropy.Statistics(Team(), logits.M.ColumnRange(32, 13), map, Table(targets), 32, rows, fold: true);
        CrossEntropy.Loss(Team(), weighted, 7, rows, &loss);
        Assert.Equal(expected, loss, 2e-6 * Math.Abs(expected));
        Tensor again = New(7, 45).Poison();
        CrossEntropy.Gradient(Team(), logits.M.ColumnRange(0, 32), map, weighted, 0, rows, 0.25f, again.M.ColumnRange(0, 32));
        CrossEntropy.Gradient(Team(), logits.M.ColumnRange(32, 13), map, weighted, 32, rows, 0.25f, again.M.ColumnRange(32, 13));
        again.AssertClose(differences, 4e-5);
    }

    [Fact]
    public void The_definition_agrees_with_finite_differences()
    {
        double[,] logits = New(3, 9).Random(1).Values();
        int[] targets = Targets(3, 9);
        double[,] differences = Differences(logits, new double[,] { { 1 } }, () => new double[,] { { Loss(logits, targets) } });
        New(3, 9).Assign(differences).AssertClose(Gradient(logits, targets, 1));
    }

    [Fact]
    public void The_gradient_may_replace_the_logits()
    {
        Tensor logits = New(6, 77).Random(1);
        int[] targets = Targets(6, 77);
        Tensor dlogits = New(6, 77);
        float loss;
        CrossEntropy.Run(Team(), logits.M, LogitMap.Identity, Table(targets), 1f, dlogits.M, &loss, accumulateLoss: false);

        Tensor copy = Own(logits.Copy());
        CrossEntropy.Run(Team(), copy.M, LogitMap.Identity, Table(targets), 1f, copy.M, &loss, accumulateLoss: false);
        copy.AssertSameBits(dlogits);

        Tensor narrow = New(6, 77, DType.BFloat16);
        copy = Own(logits.Copy());
        CrossEntropy.Run(Team(), logits.M, LogitMap.Identity, Table(targets), 1f, narrow.M, &loss, accumulateLoss: false);
        var shared = new Matrix(copy.M.Data, DType.BFloat16, 6, 77, 2 * 77);
        CrossEntropy.Run(Team(), copy.M, LogitMap.Identity, Table(targets), 1f, shared, &loss, accumulateLoss: false);
        for (int t = 0; t < 6; t++)
        {
            Assert.True(new ReadOnlySpan<ushort>(shared.Row(t), 77).SequenceEqual(new ReadOnlySpan<ushort>(narrow.M.Row(t), 77)));
        }
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Tensor logits = New(60, 90).Random(1);
        int* targets = Table(Targets(60, 90));
        Tensor? first = null;
        float? firstLoss = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor dlogits = New(60, 90);
            float loss;
            CrossEntropy.Run(Team(threads), logits.M, LogitMap.Identity, targets, 1f, dlogits.M, &loss, accumulateLoss: false);
            (first ??= dlogits).AssertSameBits(dlogits);
            Assert.Equal(firstLoss ??= loss, loss);
        }
    }

    [Fact]
    public void A_target_outside_the_vocabulary_is_refused()
    {
        Tensor logits = New(1, 4);
        Tensor loss = New(1, 1);
        Assert.Throws<ArgumentException>(() =>
            CrossEntropy.Run(Team(), logits.M, LogitMap.Identity, Table(4), 1f, logits.M, loss.Floats, accumulateLoss: false)
        );
    }

    /// <summary>Blocks down to one column, a larger and a smaller maximum in later ones, targets in each.</summary>
    [Theory]
    [InlineData(7, 50, 16, DType.Float32)]
    [InlineData(9, 33, 32, DType.Float32)]
    [InlineData(5, 2500, 1100, DType.Float32)]
    [InlineData(6, 300, 128, DType.BFloat16)]
    public void Blocks_of_columns_agree_with_the_definition(int rows, int columns, int block, DType type)
    {
        Tensor logits = New(rows, columns, gap: 3).Random(1, scale: 5, offset: 20);
        int[] targets = Targets(rows, columns);
        int* table = Table(targets);
        int stride = rows + 2;
        Tensor? first = null;
        float? firstLoss = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor statistics = New(3, stride).Poison();
            for (int at = 0; at < columns; at += block)
            {
                Matrix part = logits.M.ColumnRange(at, Math.Min(block, columns - at));
                CrossEntropy.Statistics(Team(threads), part, LogitMap.Identity, table, at, new(statistics.Floats, stride), fold: at > 0);
            }

            float loss = float.NaN;
            CrossEntropy.Loss(Team(threads), table, rows, new(statistics.Floats, stride), &loss);
            double expected = Loss(logits.Values(), targets);
            Assert.Equal(expected, loss, 1e-6 * expected);
            Tensor dlogits = New(rows, columns, type, 2).Poison();
            for (int at = 0; at < columns; at += block)
            {
                int count = Math.Min(block, columns - at);
                CrossEntropy.Gradient(
                    Team(threads),
                    logits.M.ColumnRange(at, count),
                    LogitMap.Identity,
                    table,
                    at,
                    new(statistics.Floats, stride),
                    0.25f,
                    dlogits.M.ColumnRange(at, count)
                );
            }

            dlogits.AssertClose(Gradient(logits.Values(), targets, 0.25));
            (first ??= dlogits).AssertSameBits(dlogits);
            Assert.Equal(firstLoss ??= loss, loss);
        }
    }

    [Fact]
    public void One_block_gives_the_bits_of_the_whole_gradient()
    {
        Tensor logits = New(6, 77).Random(1);
        int* targets = Table(Targets(6, 77));
        var (whole, block, statistics) = (New(6, 77, DType.BFloat16), New(6, 77, DType.BFloat16), New(3, 6));
        float loss;
        CrossEntropy.Run(Team(), logits.M, LogitMap.Identity, targets, 0.5f, whole.M, &loss, accumulateLoss: false);
        CrossEntropy.Statistics(Team(), logits.M, LogitMap.Identity, targets, 0, new(statistics.Floats, 6), fold: false);
        CrossEntropy.Gradient(Team(), logits.M, LogitMap.Identity, targets, 0, new(statistics.Floats, 6), 0.5f, block.M);
        block.AssertSameBits(whole);
    }

    [Fact]
    public void A_target_in_no_block_makes_the_loss_no_number()
    {
        Tensor logits = New(1, 4);
        Tensor statistics = New(3, 1);
        CrossEntropy.Statistics(Team(), logits.M, LogitMap.Identity, Table(4), 0, new(statistics.Floats, 1), fold: false);
        float loss = 0;
        CrossEntropy.Loss(Team(), Table(4), 1, new(statistics.Floats, 1), &loss);
        Assert.True(float.IsNaN(loss));
    }

    private static double[,] Mapped(double[,] raw, LogitMap map)
    {
        double[,] mapped = new double[raw.GetLength(0), raw.GetLength(1)];
        for (int t = 0; t < raw.GetLength(0); t++)
        {
            for (int j = 0; j < raw.GetLength(1); j++)
            {
                double logit = map.Scale * raw[t, j];
                mapped[t, j] = map.Softcap is { } cap ? cap * Math.Tanh(logit / cap) : logit;
            }
        }

        return mapped;
    }

    private static int[] Targets(int rows, int columns) =>
        [.. Enumerable.Range(0, rows).Select(t => t % 3 == 1 ? -1 : ((t * 31) + 4) % columns)];

    private static double LogSumExp(double[,] logits, int t) =>
        Math.Log(Enumerable.Range(0, logits.GetLength(1)).Sum(j => Math.Exp(logits[t, j])));

    private static double Loss(double[,] logits, int[] targets) =>
        Enumerable.Range(0, targets.Length).Where(t => targets[t] >= 0).Sum(t => LogSumExp(logits, t) - logits[t, targets[t]]);

    private static double[,] Gradient(double[,] logits, int[] targets, double scale)
    {
        double[,] gradient = new double[logits.GetLength(0), logits.GetLength(1)];
        for (int t = 0; t < targets.Length; t++)
        {
            double logSum = targets[t] < 0 ? 0 : LogSumExp(logits, t);
            for (int j = 0; j < logits.GetLength(1) && targets[t] >= 0; j++)
            {
                gradient[t, j] = scale * (Math.Exp(logits[t, j] - logSum) - (j == targets[t] ? 1 : 0));
            }
        }

        return gradient;
    }
}
