namespace Dataflow.Model.Tests;

public sealed class MuonTests
{
    [Fact]
    public void The_iteration_takes_three_products_a_step_on_the_shorter_side()
    {
        // r = 3, c = 5: X X^T 2 r r c = 90, A A 2 r r r = 54, B X 90; five steps.
        Assert.Equal(5 * (90 + 54 + 90), NewtonSchulz.Muon.Flops(new MuonMatrix(3, 5, false)));
        Assert.Equal(5 * (90 + 54 + 90), NewtonSchulz.Muon.Flops(new MuonMatrix(5, 3, true)));
    }

    [Theory]
    [InlineData(3, 12, 1, 0.692820323027551)] // 0.2 sqrt(12)
    [InlineData(12, 3, 2, 0.692820323027551)]
    public void The_rate_goes_by_the_checkpoints_sides_wherever_memory_has_them(int rows, int columns, double original, double matched)
    {
        foreach (bool transposed in new[] { false, true })
        {
            var matrix = new MuonMatrix(rows, columns, transposed);
            Assert.Equal(original, matrix.RateOf(MuonAdjustment.Original), 1e-15);
            Assert.Equal(matched, matrix.RateOf(MuonAdjustment.MatchRmsAdamW), 1e-15);
            Assert.Equal((transposed ? columns : rows, transposed ? rows : columns), (matrix.MemoryRows, matrix.MemoryColumns));
        }
    }

    [Fact]
    public void Scratch_is_two_matrices_the_square_of_the_shorter_side_and_a_sum_a_tile()
    {
        // bf16: 2 x 100 x 300 x 2 bytes in units of 256: 60,160 each; 100 x 100 x 2 = 20,000: 20,224; the norm 256; 30,000 elements that
        // begin up to 7 behind a group of eight are 15 tiles of 2,048: 120 bytes, 256.
        var scratch = new MuonScratch(new MuonMatrix(100, 300, false), DType.BFloat16);
        Assert.Equal((2 * 60_160) + 20_224 + 256 + 256, scratch.Length.Value);
        Assert.Equal(scratch.Length, new MuonScratch(new MuonMatrix(300, 100, true), DType.BFloat16).Length);
        Bytes[] starts = [MuonScratch.First, scratch.Second, scratch.Polynomial, scratch.SquaredNorm, scratch.Partials, scratch.Length];
        Assert.All(starts, s => Assert.Equal(s.Aligned, s));
        Assert.Equal(starts.Order(), starts);
        Assert.Equal(2, KernelWorkspace.MuonTiles(2_048, within: 1));
    }

    [Theory]
    [InlineData(3.4445, 5, null)]
    [InlineData(2, 40, null)]
    [InlineData(3.4445, 0, "at least one step")]
    [InlineData(3.4445, 30, "take fewer")]
    [InlineData(0, 1, "take fewer")]
    [InlineData(double.NaN, 1, "take fewer")]
    public void Iterations_that_leave_the_range_of_numbers_have_a_fault(double a, int steps, string? says)
    {
        string? fault = new NewtonSchulz(a, -1, 0.5, steps).Fault;
        Assert.Equal(says is null, fault is null);
        Assert.Contains(says ?? "", fault ?? "", StringComparison.Ordinal);
    }
}
