using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>What pairs of documents are compared by, and how much each target counts in the loss of its pair.</summary>
public static unsafe class Preference
{
    private const double Squared = 1, Hinge = 2;

    /// <summary>
    /// The sum of each document += the log-probabilities of its targets in the chunk: taken in double in the order of the rows, so that
    /// documents that cross from a chunk into the next have one order whatever the budgets.
    /// </summary>
    public static void Sums(in PreferenceSumsArguments call)
    {
        int* targets = (int*)call.Targets, sequences = (int*)call.Sequences;
        var statistics = new LogitStatistics((float*)call.Statistics, call.Stride);
        double* documents = (double*)call.Pairs + PairTable.Header;
        for (int t = 0; t < call.Rows; t++)
        {
            if (targets[t] >= 0)
            {
                documents[(PairTable.PerSequence * (long)sequences[t]) + PairTable.Sum] +=
                    (double)statistics.AtTarget(t) - statistics.Largest(t) - Math.Log(statistics.Sum(t));
            }
        }
    }

    /// <summary>The weight of each target, taken in double and rounded once; 0 where none is counted.</summary>
    public static void Weights(ThreadTeam team, in PreferenceWeightsArguments call) =>
        team.For(call.Rows, new WeightJob((int*)call.Targets, (int*)call.Sequences, (double*)call.Pairs, (float*)call.Weights));

    private readonly struct WeightJob(int* targets, int* sequences, double* pairs, float* weights) : IJob
    {
        public void Run(int t, int worker)
        {
            if (targets[t] < 0)
            {
                weights[t] = 0;
                return;
            }

            double* documents = pairs + PairTable.Header;
            bool preferred = sequences[t] % 2 == 0;
            double* mine = documents + (PairTable.PerSequence * (long)sequences[t]);
            double* other = preferred ? mine + PairTable.PerSequence : mine - PairTable.PerSequence;
            double z = preferred ? Compared(mine) - Compared(other) : Compared(other) - Compared(mine);
            double slope = Slope(z) * mine[0];
            weights[t] = (float)(preferred ? pairs[4] - slope : slope);
        }

        private static double Compared(double* document) => (document[0] * document[PairTable.Sum]) + document[1];

        /// <summary>The loss's derivative.</summary>
        private double Slope(double z)
        {
            double beta = pairs[1];
            return pairs[0] switch
            {
                Squared => 2 * (z - (1 / (2 * beta))),
                Hinge => beta * z < 1 ? -beta : 0,
                _ => beta * ((pairs[3] * Sigmoid(beta * z)) - (pairs[2] * Sigmoid(-beta * z))),
            };
        }

        private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
    }
}
