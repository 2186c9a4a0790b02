using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.GpuCheck;

/// <summary>Kernels over the vocabulary and over parameters: embedding, loss, update, norm.</summary>
internal static class StateTrials
{
    private const int MostLogitRows = 1024;

    /// <summary>embedding.cu forward.</summary>
    public static KernelTrial EmbeddingForward(Workbench bench)
    {
        var (t, d, v) = (bench.Tokens, bench.Model.ModelDim, bench.Model.VocabSize);
        var table = bench.Random(v, d);
        int[] ids = Ids(bench);
        nuint deviceIds = bench.Integers(ids);
        var x = bench.Room(t, d);
        return new KernelTrial("embedding forward", 0, 2.0 * t * d * bench.Type.Size(),
            () => bench.Kernels.Embedding.Forward(
                bench.Stream,
                new()
                {
                    Ids = deviceIds,
                    Table = table.Tensor,
                    X = x,
                    Scale = 1,
                }
            ),
            compare =>
            {
                foreach (int row in RowTrials.Samples(t))
                {
                    compare.Add("x", RowTrials.Row(bench, x, row), [.. Enumerable.Range(0, d).Select(c => table[ids[row], c])], 1e-12);
                }
            });
    }

    /// <summary>embedding.cu backward: a segmented sum over tokens sorted by id.</summary>
    public static KernelTrial EmbeddingBackward(Workbench bench)
    {
        var (t, d, v) = (bench.Tokens, bench.Model.ModelDim, bench.Model.VocabSize);
        Numbers dx = bench.Random(t, d), table = bench.Random(v, d);
        int[] ids = Ids(bench);
        nuint deviceIds = bench.Integers(ids), order = bench.Integers([.. Enumerable.Range(0, t).OrderBy(i => ids[i]).ThenBy(i => i)]);
        double rows = ids.Distinct().Count();
        return new KernelTrial("embedding backward", 0, (t + (2 * rows)) * d * bench.Type.Size(),
            () => bench.Kernels.Embedding.Backward(
                bench.Stream,
                new()
                {
                    Ids = deviceIds,
                    Order = order,
                    GradX = dx.Tensor,
                    GradTable = table.Tensor,
                    Scale = 1,
                }
            ),
            compare =>
            {
                foreach (int id in RowTrials.Samples(t).Select(i => ids[i]).Distinct())
                {
                    int[] from = [.. Enumerable.Range(0, t).Where(i => ids[i] == id)];
                    compare.Add(
                        "dtable",
                        RowTrials.Row(bench, table.Tensor, id),
                        [.. Enumerable.Range(0, d).Select(c => table[id, c] + from.Sum(r => dx[r, c]))],
                        Comparison.BoundOf(bench.Type)
                    );
                }
            });
    }

    /// <summary>cross_entropy.cu: loss and gradient of a sub-chunk of the head.</summary>
    public static KernelTrial CrossEntropy(Workbench bench)
    {
        int rows = Math.Min(bench.Tokens, MostLogitRows), v = bench.Model.VocabSize;
        var logits = bench.Random(rows, v, DType.Float32, scale: 3);
        int[] targets = [.. Ids(bench).Take(rows)];
        targets[rows / 2] = -1; // not counted
        nuint deviceTargets = bench.Integers(targets), workspace = bench.Room(KernelWorkspace.CrossEntropy(rows));
        var gradient = bench.Room(rows, v);
        var loss = bench.Room(1, 1, DType.Float32);
        const double lossScale = 1.0 / 512;
        double LogSum(int row) => Math.Log(Enumerable.Range(0, v).Sum(c => Math.Exp(logits[row, c])));
        return new KernelTrial(
            "cross_entropy",
            0,
            (double)rows * v * (4 + bench.Type.Size()),
            () =>
                bench.Kernels.CrossEntropy.Run(
                    bench.Stream,
                    bench.Kernels.Step,
                    new()
                    {
                        Logits = logits.Tensor,
                        LogitScale = 1,
                        LogitSoftcap = null,
                        Targets = deviceTargets,
                        GradLogits = gradient,
                        Loss = loss.Address,
                        Accumulate = false,
                        Workspace = workspace,
                    }
                ),
            compare =>
            {
                foreach (int row in RowTrials.Samples(rows))
                {
                    double lse = LogSum(row);
                    compare.Add(
                        "dlogits",
                        RowTrials.Row(bench, gradient, row),
                        [
                            .. Enumerable
                                .Range(0, v)
                                .Select(c =>
                                    targets[row] < 0 ? 0 : lossScale * (Math.Exp(logits[row, c] - lse) - (c == targets[row] ? 1 : 0))
                                ),
                        ],
                        Comparison.BoundOf(bench.Type)
                    );
                }

                double[] each = new double[rows];
                Parallel.For(0, rows, r => each[r] = targets[r] < 0 ? 0 : LogSum(r) - logits[r, targets[r]]);
                compare.Add("loss", [bench.Read(loss, 0, 1)[0]], [each.Sum()], Comparison.Single);
            });
    }

    /// <summary>adam_w.cu over a layer.</summary>
    public static KernelTrial AdamW(Workbench bench)
    {
        int count = Count(bench);
        Numbers w = bench.Random(1, count),
            g = bench.Random(1, count, scale: 1e-2f),
            m = bench.Random(1, count, scale: 1e-3f),
            v = bench.Random(1, count, scale: 1e-6f, offset: 1e-5f);
        var o = Optimizer.AdamW.Defaults;
        long stride = (nint)v.Tensor.Address - (nint)m.Tensor.Address;
        const int step = 3;
        return new KernelTrial(
            "adam_w",
            0,
            7.0 * count * bench.Type.Size(),
            () =>
                bench.Kernels.Update.Run(
                    bench.Stream,
                    new UpdateArguments
                    {
                        Range = new UpdateRange(w.Tensor.Address, g.Tensor.Address, m.Tensor.Address, stride, 0, 0, 0, count),
                        Optimizer = Optimizer.AdamW,
                        Recipe = bench.Recipe,
                        Scale = UpdateScale.One,
                        Norms = 0,
                        NormCount = 0,
                    },
                    bench.Kernels.Step
                ),
            compare =>
            {
                int[] at = RowTrials.Samples(count);
                var wants = at.Select(i =>
                    {
                        double moment = m.At(i) + ((1 - (double)(decimal)o.Beta1) * (g.At(i) - m.At(i)));
                        double square = (o.Beta2 * v.At(i)) + ((1 - (double)(decimal)o.Beta2) * g.At(i) * g.At(i));
                        double up =
                            moment
                            / (1 - Math.Pow((double)(decimal)o.Beta1, step))
                            / (Math.Sqrt(square / (1 - Math.Pow((double)(decimal)o.Beta2, step))) + o.Epsilon);
                        return (
                            Weight: (w.At(i) * (1 - ((double)o.LearningRate * o.WeightDecay))) - (o.LearningRate * up),
                            Moment: moment,
                            Square: square
                        );
                    })
                    .ToArray();
                double[] Got(Numbers from) => [.. at.Select(i => (double)bench.Read(from.Tensor, i, 1)[0])];
                double bound = bench.Type == DType.Float32 ? Comparison.Single : 4e-3; // few elements: as far off as one may be
                compare.Add("w", Got(w), [.. wants.Select(x => x.Weight)], bound);
                compare.Add("m", Got(m), [.. wants.Select(x => x.Moment)], bound);
                compare.Add("v", Got(v), [.. wants.Select(x => x.Square)], bound);
            });
    }

    /// <summary>adam_w8_bit.cu over a layer, without moments yet: codes and scales to the bit.</summary>
    public static KernelTrial AdamW8Bit(Workbench bench)
    {
        const int size = DynamicMap.BlockElements;
        int count = Count(bench) / size * size;
        Numbers w = bench.Random(1, count), g = bench.Random(1, count, scale: 1e-2f);
        Tensor Scales() => new(bench.Integers(new int[count / size]), DType.Float32, 1, count / size);
        Tensor[] codes = [bench.Room(1, count, DType.UInt8), bench.Room(1, count, DType.UInt8)], scales = [Scales(), Scales()];
        var call = new AdamW8BitArguments
        {
            Weights = w.Tensor.Address,
            Gradient = g.Tensor.Address,
            FirstCodes = codes[0].Address,
            FirstScales = scales[0].Address,
            SecondCodes = codes[1].Address,
            SecondScales = scales[1].Address,
            Master = 0,
            Object = 0,
            FirstElement = 0,
            Count = count,
            Recipe = bench.Recipe,
            Norms = 0,
            NormCount = 0,
            Scale = UpdateScale.One,
        };
        return new KernelTrial(
            "adam_w8_bit",
            0,
            (3.0 * count * bench.Type.Size()) + (4.0 * count) + (16.0 * count / size),
            () => bench.Kernels.AdamW8Bit.Run(bench.Stream, call, bench.Kernels.Step),
            compare =>
            {
                var o = Optimizer.AdamW.Defaults;
                DynamicMap[] maps = [DynamicMap.Signed, DynamicMap.Unsigned];
                float[] shares = [(float)(1 - (double)(decimal)o.Beta1), (float)(1 - (double)(decimal)o.Beta2)];
                foreach (int block in new[] { 0, count / size / 2, (count / size) - 1 })
                {
                    float[] gradient = [.. Enumerable.Range(block * size, size).Select(i => (float)g.At(i))];
                    for (int k = 0; k < 2; k++)
                    {
                        byte[] want = new byte[size];
                        float scale = maps[k].Quantize([.. gradient.Select(x => shares[k] * (k == 0 ? x : x * x))], want);
                        float[] got = bench.Read(codes[k], (long)block * size, size);
                        compare.Add("codes that differ", [got.Where((c, i) => c != want[i]).Count()], [0], Comparison.Single);
                        compare.Add("scale", [bench.Read(scales[k], block, 1)[0]], [scale], 1e-9);
                    }
                }
            }
        );
    }

    /// <summary>squared_sum.cu over a layer.</summary>
    public static KernelTrial SquaredSum(Workbench bench)
    {
        var layout = ParameterLayout.Block(bench.Model, new LayerKind(bench.Model.FfnDim));
        var g = bench.Random(1, checked((int)layout.ElementCount));
        nuint workspace = bench.Room(KernelWorkspace.SquaredSum(layout));
        var sum = bench.Room(1, 2, DType.Float32);
        return new KernelTrial("squared_sum", 0, (double)layout.ElementCount * bench.Type.Size(),
            () => bench.Kernels.SquaredSum.Run(bench.Stream, g.Tensor.Address, bench.Type, layout, sum.Address, workspace),
            compare =>
            {
                double want = layout.Tensors.Sum(t => Sum(g, t.ElementOffset, t.Count));
                float[] halves = bench.Read(sum, 0, 2);
                ulong bits = BitConverter.SingleToUInt32Bits(halves[0]) | ((ulong)BitConverter.SingleToUInt32Bits(halves[1]) << 32);
                compare.Add("sum", [BitConverter.UInt64BitsToDouble(bits)], [want], 1e-9);
            });
    }

    private static double Sum(Numbers g, long first, long count)
    {
        const int piece = 1 << 20;
        double[] parts = new double[(count + piece - 1) / piece];
        Parallel.For(0, parts.Length, p =>
        {
            for (long i = (long)p * piece; i < Math.Min(count, (p + 1L) * piece); i++)
            {
                parts[p] += g.At(first + i) * g.At(first + i);
            }
        });
        return parts.Sum();
    }

    private static int Count(Workbench bench) =>
        checked((int)ParameterLayout.Block(bench.Model, new LayerKind(bench.Model.FfnDim)).ElementCount);

    // Often the same ones: real text repeats itself.
    private static int[] Ids(Workbench bench)
    {
        var random = new Random(5);
        int v = bench.Model.VocabSize;
        return [.. Enumerable.Range(0, bench.Tokens).Select(_ => (int)(v * Math.Pow(random.NextDouble(), 4)))];
    }
}
