using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// The choice of experts, and the order of the rows that they compute. A token's experts are those of its largest logits (scores grow with
/// logits), on a tie the lower index, of the best groups where there are groups; rows are ordered by expert, those of one by token.
/// </summary>
public static unsafe class Routing
{
    /// <summary>All outputs are overwritten.</summary>
    public static void Forward(ThreadTeam team, in RoutingArguments call)
    {
        var (mixture, logits) = (call.Mixture, new Matrix(call.Logits));
        logits.Expect(call.Logits.Rows, mixture.RouterRows, nameof(call.Logits));
        int* choices = (int*)call.Choices, places = (int*)call.Places, tokens = (int*)call.Tokens, first = (int*)call.ExpertRows;
        float* weights = (float*)call.Weights;
        float* byChoice = (float*)call.Workspace;
        team.For(logits.Rows, new ChoiceJob(Router.Of(mixture), logits, (float*)call.Correction, choices, byChoice)
        {
            Shared = (float*)call.SharedWeights,
        });

        new Span<int>(first, mixture.Count + 1).Clear();
        for (int i = 0; i < call.Rows; i++)
        {
            first[choices[i] + 1]++;
        }

        for (int e = 0; e < mixture.Count; e++)
        {
            first[e + 1] += first[e];
        }

        // Each expert's count of rows so far is kept in its first row, which is put back at the end.
        for (int i = 0; i < call.Rows; i++)
        {
            int place = first[choices[i]]++;
            (places[i], tokens[place], weights[place]) = (place, i / mixture.PerToken, byChoice[i]);
        }

        for (int e = mixture.Count; e > 0; e--)
        {
            first[e] = first[e - 1];
        }

        first[0] = 0;
    }

    /// <summary>The gradient of the logits is overwritten.</summary>
    public static void Backward(ThreadTeam team, in RoutingBackwardArguments call)
    {
        Matrix logits = new(call.Logits), gradient = new(call.GradLogits);
        gradient.Expect(logits.Rows, logits.Columns, nameof(call.GradLogits));
        var job = new BackwardJob(Router.Of(call.Mixture), logits, (int*)call.Choices, (int*)call.Places, (float*)call.GradWeights)
        {
            GradShared = (float*)call.GradSharedWeights,
            Load = (float*)call.Load,
            LoadFactor = call.LoadFactor,
            SquareFactor = call.SquareFactor,
            Gradient = gradient,
        };
        team.For(logits.Rows, job);
    }

    // As DeepSeek-V3 has it: a sum of 0 is no reason to divide by it.
    private const float LeastDivisor = 1e-20f;

    /// <summary>The softmax over all experts; yields the logsumexp.</summary>
    internal static float Probabilities(float* logits, int experts, float* result)
    {
        float most = float.NegativeInfinity, sum = 0;
        for (int e = 0; e < experts; e++)
        {
            most = MathF.Max(most, logits[e]);
        }

        for (int e = 0; e < experts; e++)
        {
            sum += result[e] = MathF.Exp(logits[e] - most);
        }

        for (int e = 0; e < experts; e++)
        {
            result[e] /= sum;
        }

        return most + MathF.Log(sum);
    }

    private static float Logistic(float x) => 1 / (1 + MathF.Exp(-x));

    /// <summary>The rules of choice, as a value without references, for jobs.</summary>
    private readonly record struct Router(int Experts, int PerToken, RouterScore Score, bool Normalised, float Scale, bool GatesShared)
    {
        public static Router Of(ExpertMixture mixture) =>
            new(mixture.Count, mixture.PerToken, mixture.Score, mixture.Normalised, (float)mixture.Scale, mixture.GatesShared)
            {
                Groups = mixture.Groups,
                GroupsPerToken = mixture.GroupsPerToken,
            };

        public int Groups { get; private init; }

        public int GroupsPerToken { get; private init; }

        /// <summary>Experts may be chosen by their logits themselves: scores grow with them, and nothing is made of several.</summary>
        public bool ChoosesByLogits => Score == RouterScore.Softmax || Groups == 1;

        /// <summary>
        /// Of all experts; but a softmax whose weights are divided by their sum is over the chosen ones alone: others' scores are 0.
        /// </summary>
        public void Scores(float* logits, int* chosen, float* scores)
        {
            if (Score == RouterScore.Sigmoid)
            {
                for (int e = 0; e < Experts; e++)
                {
                    scores[e] = Logistic(logits[e]);
                }

                return;
            }

            new Span<float>(scores, Experts).Clear();
            int count = Normalised ? PerToken : Experts;
            float most = logits[chosen[0]], sum = 0;
            for (int i = 0; i < count; i++)
            {
                int e = Normalised ? chosen[i] : i;
                sum += scores[e] = MathF.Exp(logits[e] - most);
            }

            for (int e = 0; e < Experts; e++)
            {
                scores[e] /= sum;
            }
        }

        /// <summary>Marks the experts of the best groups, on a tie those of lower index; all, where there is one group.</summary>
        public void Admit(float* by, bool* admitted)
        {
            var all = new Span<bool>(admitted, Experts);
            all.Fill(Groups == 1);
            int size = Experts / Groups;
            for (int i = 0; Groups > 1 && i < GroupsPerToken; i++)
            {
                int best = -1;
                float most = 0;
                for (int g = 0; g < Groups; g++)
                {
                    float score = GroupScore(by + (g * size), size);
                    if (!admitted[g * size] && (best < 0 || score > most))
                    {
                        (best, most) = (g, score);
                    }
                }

                all.Slice(best * size, size).Fill(true);
            }
        }

        /// <summary>The best of a group; with logistic functions the sum of its two best.</summary>
        private float GroupScore(float* by, int size)
        {
            float first = float.NegativeInfinity, second = float.NegativeInfinity;
            for (int e = 0; e < size; e++)
            {
                (first, second) = by[e] > first ? (by[e], first) : (first, MathF.Max(second, by[e]));
            }

            return Score == RouterScore.Sigmoid ? first + second : first;
        }

        /// <summary>What experts are chosen by where something is added to their scores, or scores themselves count.</summary>
        public float* Corrected(float* logits, float* correction, float* result)
        {
            if (Score == RouterScore.Softmax)
            {
                _ = Probabilities(logits, Experts, result);
            }

            for (int e = 0; e < Experts; e++)
            {
                result[e] = (Score == RouterScore.Softmax ? result[e] : Logistic(logits[e])) + (correction == null ? 0 : correction[e]);
            }

            return result;
        }

        /// <summary>What weights are divided by besides.</summary>
        public float Divisor(float* scores, int* chosen)
        {
            if (!Divides)
            {
                return 1;
            }

            float sum = LeastDivisor;
            for (int j = 0; j < PerToken; j++)
            {
                sum += scores[chosen[j]];
            }

            return sum;
        }

        /// <summary>Weights are divided by the sum of the chosen scores.</summary>
        public bool Divides => Normalised && Score == RouterScore.Sigmoid;
    }

    private readonly struct ChoiceJob(Router router, Matrix logits, float* correction, int* choices, float* weights) : IJob
    {
        public float* Shared { private get; init; }

        public void Run(int index, int worker)
        {
            float* z = (float*)logits.Row(index);
            float* scores = stackalloc float[router.Experts];
            float* corrected = stackalloc float[router.Experts];
            float* by = correction == null && router.ChoosesByLogits ? z : router.Corrected(z, correction, corrected);
            bool* admitted = stackalloc bool[router.Experts];
            router.Admit(by, admitted);
            int* chosen = choices + ((long)index * router.PerToken);
            for (int j = 0; j < router.PerToken; j++)
            {
                // The first of those that are left, whatever the logits are: not-a-number is no reason to choose one twice.
                int best = -1;
                for (int e = 0; e < router.Experts; e++)
                {
                    if (admitted[e] && !new Span<int>(chosen, j).Contains(e) && (best < 0 || by[e] > by[best]))
                    {
                        best = e;
                    }
                }

                chosen[j] = best;
            }

            router.Scores(z, chosen, scores);
            float divisor = router.Divisor(scores, chosen);
            for (int j = 0; j < router.PerToken; j++)
            {
                weights[((long)index * router.PerToken) + j] = router.Scale * scores[chosen[j]] / divisor;
            }

            if (router.GatesShared)
            {
                Shared[index] = Logistic(z[router.Experts]);
            }
        }
    }

    private readonly struct BackwardJob(Router router, Matrix logits, int* choices, int* places, float* gradWeights) : IJob
    {
        public float* GradShared { private get; init; }

        public float* Load { private get; init; }

        public float LoadFactor { private get; init; }

        public float SquareFactor { private get; init; }

        public Matrix Gradient { private get; init; }

        public void Run(int index, int worker)
        {
            float* z = (float*)logits.Row(index);
            int* chosen = choices + ((long)index * router.PerToken);
            int* at = places + ((long)index * router.PerToken);
            float* scores = stackalloc float[router.Experts];
            float* result = stackalloc float[router.Experts + 1];
            router.Scores(z, chosen, scores);
            float divisor = router.Divisor(scores, chosen);

            // Of a weight scale s / divisor: directly by its score, and by the divisor, which is the sum of the chosen.
            float mean = 0;
            for (int j = 0; router.Divides && j < router.PerToken; j++)
            {
                mean += gradWeights[at[j]] * scores[chosen[j]] / divisor;
            }

            new Span<float>(result, router.Experts).Clear();
            for (int j = 0; j < router.PerToken; j++)
            {
                result[chosen[j]] = router.Scale * (gradWeights[at[j]] - mean) / divisor;
            }

            FromScores(scores, result);
            if (Load != null)
            {
                AddLosses(z, scores, result);
            }

            if (router.GatesShared)
            {
                float gate = Logistic(z[router.Experts]);
                result[router.Experts] = GradShared[index] * gate * (1 - gate);
            }

            var row = new Internals.Row(Gradient, index);
            for (int e = 0; e < Gradient.Columns; e += Internals.Lanes.Count)
            {
                int lanes = Gradient.Columns - e;
                row.Store(e, Internals.Lanes.Load(result + e, lanes), lanes);
            }
        }

        /// <summary>
        /// The load-balancing loss pulls at probabilities, those that are often chosen down; how often is no variable. The z-loss pulls at
        /// the logsumexp, whose slopes are the probabilities.
        /// </summary>
        private void AddLosses(float* z, float* probabilities, float* result)
        {
            float logSum = Probabilities(z, router.Experts, probabilities);
            float mean = 0;
            for (int e = 0; e < router.Experts; e++)
            {
                mean += Load[e] * probabilities[e];
            }

            for (int e = 0; e < router.Experts; e++)
            {
                result[e] += LoadFactor * probabilities[e] * (Load[e] - mean);
                result[e] += 2 * SquareFactor * logSum * probabilities[e];
            }
        }

        /// <summary>Gradients of scores become those of logits.</summary>
        private void FromScores(float* scores, float* gradients)
        {
            float mean = 0;
            for (int e = 0; router.Score == RouterScore.Softmax && e < router.Experts; e++)
            {
                mean += gradients[e] * scores[e];
            }

            for (int e = 0; e < router.Experts; e++)
            {
                gradients[e] = router.Score == RouterScore.Softmax
                    ? scores[e] * (gradients[e] - mean)
                    : gradients[e] * scores[e] * (1 - scores[e]);
            }
        }
    }
}
