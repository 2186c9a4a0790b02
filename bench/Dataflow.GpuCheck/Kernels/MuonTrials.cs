using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.GpuCheck;

/// <summary>What Muon does besides matrix products, over a matrix of a layer.</summary>
internal static class MuonTrials
{
    /// <summary>muon.cu, momentum: the gradient read, the momentum read and written, the update written.</summary>
    public static KernelTrial Momentum(Workbench bench)
    {
        var (rows, columns, type) = (bench.Model.FfnDim, bench.Model.ModelDim, bench.Type);
        Numbers g = bench.Random(rows, columns, scale: 1e-2f), m = bench.Random(rows, columns, scale: 1e-3f);
        var update = bench.Room(rows, columns);
        long count = (long)rows * columns;
        nuint norm = bench.Room(new Bytes(sizeof(double))), workspace = bench.Room(KernelWorkspace.MuonMomentum(count));
        return new KernelTrial(
            "muon momentum",
            0,
            4.0 * count * type.Size(),
            () =>
                bench.Kernels.Muon.Momentum(
                    bench.Stream,
                    bench.Kernels.Step,
                    new()
                    {
                        Range = new UpdateRange(0, g.Tensor.Address, m.Tensor.Address, 0, 0, 0, 0, count),
                        Recipe = bench.Recipe,
                        Norms = 0,
                        NormCount = 0,
                        Update = update,
                        SquaredNorm = norm,
                        Workspace = workspace,
                    }
                ),
            compare =>
            {
                const double mu = Workbench.Momentum;
                int[] at = RowTrials.Samples(checked((int)count));
                double[] moments = [.. at.Select(i => (mu * m.At(i)) + ((1 - mu) * g.At(i)))];
                double[] Got(Tensor from) => [.. at.Select(i => (double)bench.Read(from, i, 1)[0])];
                double bound = type == DType.Float32 ? Comparison.Single : 4e-3; // few elements: as far off as one may be
                compare.Add("m", Got(m.Tensor), moments, bound);
                compare.Add("u", Got(update), [.. at.Select((i, k) => ((1 - mu) * g.At(i)) + (mu * moments[k]))], bound);
            }
        );
    }

    /// <summary>muon.cu, weights: they are read and written, the direction is read.</summary>
    public static KernelTrial Apply(Workbench bench)
    {
        var (rows, columns, type) = (bench.Model.FfnDim, bench.Model.ModelDim, bench.Type);
        Numbers w = bench.Random(rows, columns), x = bench.Random(rows, columns, scale: 10);
        long count = (long)rows * columns;
        const float scale = 2;
        return new KernelTrial(
            "muon apply",
            0,
            3.0 * count * type.Size(),
            () =>
                bench.Kernels.Muon.Apply(
                    bench.Stream,
                    bench.Kernels.Step,
                    new()
                    {
                        Range = new UpdateRange(w.Tensor.Address, 0, 0, 0, 0, 0, 0, count),
                        Recipe = bench.Recipe,
                        Direction = x.Tensor,
                        DirectionScale = scale,
                        Scale = UpdateScale.One,
                        Norms = 0,
                        NormCount = 0,
                    }
                ),
            compare =>
            {
                var o = Optimizer.AdamW.Defaults;
                int[] at = RowTrials.Samples(checked((int)count));
                double[] want =
                [
                    .. at.Select(i => (w.At(i) * (1 - ((double)o.LearningRate * o.WeightDecay))) - (o.LearningRate * scale * x.At(i))),
                ];
                double bound = type == DType.Float32 ? Comparison.Single : 4e-3;
                compare.Add("w", [.. at.Select(i => (double)bench.Read(w.Tensor, i, 1)[0])], want, bound);
            }
        );
    }
}
