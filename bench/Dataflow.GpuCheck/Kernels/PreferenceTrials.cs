using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>What pairs of answers are compared by, over the tokens of a chunk.</summary>
internal static class PreferenceTrials
{
    private const double Beta = 0.1;

    /// <summary>preference.cu: sums of log-probabilities of documents, and the weights of targets that follow from a pair's.</summary>
    public static KernelTrial Both(Workbench bench)
    {
        int rows = bench.Tokens, documents = Math.Max(2, rows / 200 * 2);
        int[] sequences = [.. Enumerable.Range(0, rows).Select(r => (int)((long)r * documents / rows))];
        int[] targets = [.. Enumerable.Range(0, rows).Select(r => r % 9 == 4 ? -1 : r)];
        var statistics = bench.Random(3, rows, DType.Float32, scale: 0.5f, offset: 2);
        double[] table =
        [
            0, Beta, 1, 0, 0, 0, 0, 0, .. Enumerable.Range(0, documents).SelectMany(d => new[] { 1, d % 7 - 3.0, 0 }),
        ];
        nuint pairs = bench.Integers(MemoryMarshal.Cast<double, int>(table));
        nuint deviceTargets = bench.Integers(targets), deviceSequences = bench.Integers(sequences);
        var weights = bench.Room(1, rows, DType.Float32);
        var length = new Bytes(sizeof(double) * table.Length);
        return new KernelTrial(
            "preference",
            0,
            (5.0 * rows * sizeof(int)) + (3.0 * rows * sizeof(float)),
            () =>
            {
                bench.Kernels.Preference.Sums(
                    bench.Stream,
                    new()
                    {
                        Targets = deviceTargets,
                        Sequences = deviceSequences,
                        Statistics = statistics.Tensor.Address,
                        Stride = rows,
                        Rows = rows,
                        Pairs = pairs,
                        PairsLength = length,
                    }
                );
                bench.Kernels.Preference.Weights(
                    bench.Stream,
                    new()
                    {
                        Targets = deviceTargets,
                        Sequences = deviceSequences,
                        Rows = rows,
                        Pairs = pairs,
                        PairsLength = length,
                        Weights = weights.Address,
                    }
                );
            },
            compare =>
            {
                double[] sums = [.. Enumerable.Range(0, documents).Select(d => d % 7 - 3.0)];
                for (int r = 0; r < rows; r++)
                {
                    sums[sequences[r]] += targets[r] < 0 ? 0 : statistics[2, r] - statistics[0, r] - Math.Log(statistics[1, r]);
                }

                double[] want = [.. Enumerable.Range(0, rows).Select(WeightOf)];
                compare.Add("weights", RowTrials.Row(bench, weights, 0), want, Comparison.Single);

                double WeightOf(int row)
                {
                    int chosen = sequences[row] / 2 * 2;
                    double weight = Beta / (1 + Math.Exp(Beta * (sums[chosen] - sums[chosen + 1])));
                    return targets[row] < 0 ? 0 : sequences[row] == chosen ? weight : -weight;
                }
            }
        );
    }
}
