using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// What Muon does besides matrix products, in fp32; sums of squares in fp64, in blocks of a constant size that are added up in ascending
/// order. Momentum and weights are rounded once, to nearest even or stochastically.
/// </summary>
public static unsafe class Muon
{
    private const long BlockElements = 1 << 15;
    private const double LeastNorm = 1e-7;

    /// <inheritdoc cref="MuonMomentumArguments"/>
    public static void Momentum(ThreadTeam team, in MuonMomentumArguments call, in StepArguments step)
    {
        int blocks = Blocks(call.Range.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)blocks * sizeof(double), ThreadTeam.SharedScratchBytes, nameof(call));
        double* sums = (double*)team.SharedScratch;
        float scale = Update.ClipScale((double*)call.Norms, call.NormCount, step.ClipNorm);
        team.For(blocks, new MomentumJob(call, step, scale, sums));
        double total = 0;
        for (int b = 0; b < blocks; b++)
        {
            total += sums[b];
        }

        *(double*)call.SquaredNorm = total;
    }

    /// <inheritdoc cref="MuonNormalizeArguments"/>
    public static void Normalize(ThreadTeam team, in MuonNormalizeArguments call)
    {
        double norm = Math.Sqrt(*(double*)call.SquaredNorm);
        long count = (long)call.X.Rows * call.X.Columns;
        team.For(Blocks(count), new NormalizeJob(call.X, count, (float)(norm < LeastNorm ? LeastNorm : norm)));
    }

    /// <inheritdoc cref="MuonApplyArguments"/>
    public static void Apply(ThreadTeam team, in MuonApplyArguments call, in StepArguments step) =>
        team.For(
            Blocks(call.Range.Count),
            new ApplyJob(call, step, float.IsFinite(Update.ClipScale((double*)call.Norms, call.NormCount, step.ClipNorm)))
        );

    private static int Blocks(long count) => checked((int)((count + BlockElements - 1) / BlockElements));

    private static StochasticRounding? Rounding(Recipe recipe, in UpdateRange range, in StepArguments step) =>
        recipe.RoundsStochastically ? new StochasticRounding(step.Seed, step.Step, range.Object, range.FirstElement) : null;

    private readonly struct MomentumJob(in MuonMomentumArguments call, in StepArguments step, float scale, double* sums) : IJob
    {
        private readonly long count = call.Range.Count;
        private readonly Row g = new((byte*)call.Range.Gradient, call.Recipe.Gradients);
        private readonly Row m = new((byte*)call.Range.Moments, call.Recipe.Moments);
        private readonly Row update = new((byte*)call.Update.Address, call.Update.Type);
        private readonly StochasticRounding? rounding = Rounding(call.Recipe, call.Range, step);
        private readonly float taken = 1 - step.Optimizer.Momentum;
        private readonly bool nesterov = step.Optimizer.Nesterov != 0;

        public void Run(int index, int worker)
        {
            Vector512<float> share = Vector512.Create(taken);
            Vector512<double> low = default, high = default;
            long end = Math.Min(count, (index + 1) * BlockElements);
            for (long j = index * BlockElements; j < end; j += Lanes.Count)
            {
                int lanes = (int)(end - j);
                Vector512<float> gradient = g.Load(j, lanes) * Vector512.Create(scale);
                Vector512<float> moment = m.Load(j, lanes);
                moment += share * (gradient - moment);
                update.Store(j, nesterov ? moment + (share * (gradient - moment)) : moment, lanes);
                if (float.IsNaN(scale))
                {
                    // The norm of all gradients is not finite: the momentum stays as it is.
                }
                else if (rounding is { } stochastic)
                {
                    m.StoreRounded(j, stochastic.Narrow(moment, j, 1), lanes);
                }
                else
                {
                    m.Store(j, moment, lanes);
                }

                // As it is stored: it is that whose norm is to be 1. Squares of fp32 are exact in fp64.
                Vector512<float> stored = update.Load(j, lanes);
                Vector512<double> lower = Vector512.WidenLower(stored), upper = Vector512.WidenUpper(stored);
                low += lower * lower;
                high += upper * upper;
            }

            double sum = 0;
            low += high;
            for (int lane = 0; lane < Vector512<double>.Count; lane++)
            {
                sum += low[lane];
            }

            sums[index] = sum;
        }
    }

    private readonly struct NormalizeJob(in Runtime.Tensor tensor, long count, float norm) : IJob
    {
        private readonly Row x = new((byte*)tensor.Address, tensor.Type);

        public void Run(int index, int worker)
        {
            long end = Math.Min(count, (index + 1) * BlockElements);
            for (long j = index * BlockElements; j < end; j += Lanes.Count)
            {
                int lanes = (int)(end - j);
                x.Store(j, x.Load(j, lanes) / Vector512.Create(norm), lanes);
            }
        }
    }

    private readonly struct ApplyJob : IJob
    {
        private readonly long count;
        private readonly Row w;
        private readonly Row? copy;
        private readonly Row x;
        private readonly StochasticRounding? rounding;
        private readonly float keep;
        private readonly float rate;
        private readonly bool moves;

        public ApplyJob(in MuonApplyArguments call, in StepArguments step, bool moves)
        {
            this.moves = moves;
            var (range, recipe) = (call.Range, call.Recipe);
            count = range.Count;
            Row weights = new((byte*)range.Weights, recipe.Parameters);
            (w, copy) = recipe.Master is { } master ? (new Row((byte*)range.Master, master), weights) : (weights, (Row?)null);
            x = new((byte*)call.Direction.Address, call.Direction.Type);
            rounding = Rounding(recipe, range, step);
            double rate = (double)step.Optimizer.LearningRate * call.Scale.Rate;
            double decay = ((double)step.Optimizer.WeightDecay * call.Scale.Decay) + call.Scale.OwnDecay;
            (keep, this.rate) = ((float)(1 - (rate * decay)), (float)(rate * call.DirectionScale));
        }

        public void Run(int index, int worker)
        {
            long end = Math.Min(count, (index + 1) * BlockElements);
            for (long j = index * BlockElements; j < end; j += Lanes.Count)
            {
                int lanes = (int)(end - j);
                if (!moves)
                {
                    copy?.Store(j, w.Load(j, lanes), lanes);
                    continue;
                }

                Vector512<float> weight = (w.Load(j, lanes) * Vector512.Create(keep)) - (Vector512.Create(rate) * x.Load(j, lanes));
                if (rounding is { } stochastic)
                {
                    w.StoreRounded(j, stochastic.Narrow(weight, j, 0), lanes);
                    continue;
                }

                w.Store(j, weight, lanes);
                copy?.Store(j, weight, lanes);
            }
        }
    }
}
