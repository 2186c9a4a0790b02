using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed unsafe class PreferenceTests : KernelTest
{
    private const int Rows = 150, Pairs = 4;

    /// <summary>Every loss with numbers of its own.</summary>
    public static TheoryData<PreferenceKind, double> Kinds =>
        [
            .. Enum.GetValues<PreferenceKind>()
                .Select(k => (k, k is PreferenceKind.Robust or PreferenceKind.SigmoidSmoothed ? 0.2 : 0)),
        ];

    /// <summary>Documents of 0, 1 and more rows, one of them begun by an earlier chunk, rows of none, and rows that do not count.</summary>
    [Fact]
    public void Sums_are_those_of_the_counted_rows_of_each_document()
    {
        var random = new Random(1);
        int[] sequences = [.. Enumerable.Range(0, Rows).Select(t => t < 9 ? 2 : t < 10 ? 3 : t < 90 ? 4 : t < 140 ? 7 : -1)];
        int[] targets = [.. sequences.Select((s, t) => s < 0 || t % 5 == 0 ? -1 : t)];
        float[] statistics = [.. Enumerable.Range(0, 3 * Rows).Select(i => (float)((i / Rows == 1 ? 1 : -4) + random.NextDouble()))];
        double[] pairs = [.. Enumerable.Range(0, PairTable.Header + (2 * Pairs * PairTable.PerSequence)).Select(i => (double)i)];
        double[] want = [.. pairs];
        for (int t = 0; t < Rows; t++)
        {
            if (targets[t] >= 0)
            {
                want[PairTable.Header + (PairTable.PerSequence * sequences[t]) + PairTable.Sum] +=
                    (double)statistics[(2 * Rows) + t] - statistics[t] - Math.Log(statistics[Rows + t]);
            }
        }

        fixed (int* t = targets, s = sequences)
        fixed (float* of = statistics)
        fixed (double* p = pairs)
        {
            Preference.Sums(
                new()
                {
                    Targets = (nuint)t,
                    Sequences = (nuint)s,
                    Statistics = (nuint)of,
                    Stride = Rows,
                    Rows = Rows,
                    Pairs = (nuint)p,
                    PairsLength = new Bytes(sizeof(double) * pairs.Length),
                }
            );
        }

        Assert.Equal(want, pairs);
    }

    /// <summary>The weight of a target is the loss's derivative by its -log p: central differences of the loss as it is reported.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Weights_are_the_derivative_of_the_loss(PreferenceKind kind, double smoothing)
    {
        const double Step = 1e-4, Share = 0.75;
        var loss = new PreferenceLoss(kind) { Beta = 0.4, Smoothing = smoothing };
        double[] policy = [-30.25, -31.5, -8, -2, -100, -90.25, -5, -5], reference = [-31, -30, -8, -2.5, -97, -92, -5, -5];
        int[] lengths = [3, 2, 7, 1, 20, 11, 4, 4];
        double ScaleOf(int s) => kind is PreferenceKind.Ipo or PreferenceKind.SigmoidNorm ? 1.0 / lengths[s] : 1;
        double Ratio(int s, double logp) => ScaleOf(s) * (logp - reference[s]);
        double LossOf(int pair, double chosen, double rejected) => loss.Of(Ratio(2 * pair, chosen) - Ratio((2 * pair) + 1, rejected));
        int form = kind is PreferenceKind.Ipo or PreferenceKind.IpoSums ? 1 : kind == PreferenceKind.Hinge ? 2 : 0;
        double off = kind == PreferenceKind.Robust ? 1 - (2 * smoothing) : 1;
        double of = kind is PreferenceKind.Robust or PreferenceKind.SigmoidSmoothed ? (1 - smoothing) / off : 1;
        double opposite = kind == PreferenceKind.Robust ? -smoothing / off : smoothing;
        double[] pairs =
        [
            form, loss.Beta, of, opposite, Share, 0, 0, 0,
            .. Enumerable.Range(0, 2 * Pairs).SelectMany(s => new[] { ScaleOf(s), -ScaleOf(s) * reference[s], policy[s] }),
        ];
        int[] sequences = [.. Enumerable.Range(0, 2 * Pairs)], targets = [.. sequences.Select(s => s == 3 ? -1 : s)];
        float[] weights = [.. Enumerable.Repeat(float.NaN, 2 * Pairs)];
        fixed (int* t = targets, s = sequences)
        fixed (float* w = weights)
        fixed (double* p = pairs)
        {
            Preference.Weights(
                Team(),
                new()
                {
                    Targets = (nuint)t,
                    Sequences = (nuint)s,
                    Rows = sequences.Length,
                    Pairs = (nuint)p,
                    PairsLength = new Bytes(sizeof(double) * pairs.Length),
                    Weights = (nuint)w,
                }
            );
        }

        for (int pair = 0; pair < Pairs; pair++)
        {
            var (c, r) = (policy[2 * pair], policy[(2 * pair) + 1]);
            double chosen = (LossOf(pair, c - Step, r) - LossOf(pair, c + Step, r)) / (2 * Step);
            double rejected = (LossOf(pair, c, r - Step) - LossOf(pair, c, r + Step)) / (2 * Step);
            Assert.Equal(chosen + Share, weights[2 * pair], 1e-6 * (1 + Math.Abs(chosen)));
            Assert.Equal(pair == 1 ? 0 : rejected, weights[(2 * pair) + 1], 1e-6 * (1 + Math.Abs(rejected)));
        }

    }
}
