using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.GpuCheck;

/// <summary>Causal attention of one document, forward and backward, by the provider that training takes.</summary>
internal static class AttentionTrials
{
    /// <summary>The forward.</summary>
    public static KernelTrial Forward(Workbench bench)
    {
        var run = new Operands(bench);
        return new KernelTrial("attention forward", 4 * run.Pairs * run.Heads.HeadDim, run.Bytes(1), run.Forward, run.CheckForward);
    }

    /// <summary>The backward, dK and dV overwritten; its forward has run.</summary>
    public static KernelTrial Backward(Workbench bench)
    {
        var run = new Operands(bench);
        run.Forward();
        return new KernelTrial("attention backward", 10 * run.Pairs * run.Heads.HeadDim, run.Bytes(2.5), run.Backward, run.CheckBackward);
    }

    private sealed class Operands
    {
        private readonly Workbench bench;
        private readonly Numbers q;
        private readonly Numbers kv;
        private readonly Numbers dO;
        private readonly Tensor o;
        private readonly Tensor lse;
        private readonly Tensor dq;
        private readonly Tensor dkv;
        private readonly nuint workspace;
        private readonly (CudnnCalls? Forward, CudnnCalls? Backward) cudnn;
        private readonly ChunkContext at;
        private readonly int t;

        public Operands(Workbench bench)
        {
            (this.bench, t, Heads) = (bench, bench.Tokens, RowTrials.Heads(bench));
            int queries = Heads.Heads * Heads.HeadDim, keys = 2 * Heads.KvHeads * Heads.HeadDim;
            (q, kv, dO) = (bench.Random(t, queries), bench.Random(t, keys), bench.Random(t, queries));
            (o, lse, dq, dkv) = (
                bench.Room(t, queries),
                bench.Room(Heads.Heads, t, DType.Float32),
                bench.Room(t, queries),
                bench.Room(t, keys, DType.Float32)
            );
            cudnn = (bench.CudnnOf(CudnnPass.Forward), bench.CudnnOf(CudnnPass.Backward));
            workspace = bench.Room(
                Model.Bytes.Max(
                    KernelWorkspace.AttentionForward(cudnn.Forward, t, Heads.Heads, Heads.HeadDim),
                    KernelWorkspace.AttentionBackward(cudnn.Backward, t, Heads.Heads, Heads.HeadDim)
                )
            );
            at = new ChunkContext(bench.Integers(new int[t]), 0);
        }

        public HeadShape Heads { get; }

        /// <summary>Pairs of a query and a key that it sees, over all heads.</summary>
        public double Pairs => (double)Heads.Heads * t * (t + 1) / 2;

        private double Scale => 1 / Math.Sqrt(Heads.HeadDim);

        // In bf16 P and dS are rounded before they enter sums, then the result is.
        private double Bound => bench.Type == DType.Float32 ? Comparison.Single : Comparison.RoundedTwice;

        public double Bytes(double times) => times * t * ((2.0 * q.Tensor.Columns) + kv.Tensor.Columns) * bench.Type.Size();

        public void Forward() =>
            bench.Kernels.Attention.Forward(
                bench.Stream,
                new()
                {
                    Query = q.Tensor,
                    Keys = new WindowRows(kv.Tensor, 0, t),
                    At = at,
                    Heads = Heads,
                    Output = o,
                    Lse = lse.Address,
                    Cudnn = cudnn.Forward,
                    Workspace = workspace,
                }
            );

        public void Backward() =>
            bench.Kernels.Attention.Backward(
                bench.Stream,
                new()
                {
                    Query = q.Tensor,
                    Keys = new WindowRows(kv.Tensor, 0, t),
                    At = at,
                    Heads = Heads,
                    Output = o,
                    Lse = lse.Address,
                    GradOutput = dO.Tensor,
                    GradQuery = dq,
                    GradKeyValue = dkv,
                    Accumulate = false,
                    Workspace = workspace,
                    Cudnn = cudnn.Backward,
                }
            );

        public void CheckForward(Comparison compare)
        {
            foreach (int head in RowTrials.Samples(Heads.Heads))
            {
                foreach (int row in RowTrials.Samples(t))
                {
                    double[] scores = [.. Enumerable.Range(0, row + 1).Select(j => Score(head, row, j))];
                    double most = scores.Max(), sum = scores.Sum(s => Math.Exp(s - most)), want = most + Math.Log(sum);
                    compare.Add("lse", [bench.Read(lse, ((long)head * t) + row, 1)[0]], [want], Comparison.Single);
                    double[] mean = new double[Heads.HeadDim];
                    for (int j = 0; j <= row; j++)
                    {
                        double p = Math.Exp(scores[j] - want);
                        for (int c = 0; c < mean.Length; c++)
                        {
                            mean[c] += p * Value(head, j, c);
                        }
                    }

                    compare.Add("o", Part(o, row, head), mean, Bound);
                }
            }
        }

        /// <summary>dq of a few queries, dk and dv of a few keys, from the o and lse that the backward was given.</summary>
        public void CheckBackward(Comparison compare)
        {
            int group = Heads.Heads / Heads.KvHeads;
            foreach (int kvHead in new[] { 0, Heads.KvHeads - 1 }.Distinct())
            {
                int[] heads = [.. Enumerable.Range(kvHead * group, group)];
                var given = heads.ToDictionary(h => h, h => (Lse: bench.Read(lse, (long)h * t, t), Delta: Deltas(h)));
                foreach (int row in RowTrials.Samples(t))
                {
                    double[] want = new double[Heads.HeadDim];
                    for (int j = 0; j <= row; j++)
                    {
                        double ds =
                            Weight(heads[0], row, j, given[heads[0]].Lse)
                            * (Product(heads[0], row, j) - given[heads[0]].Delta[row])
                            * Scale;
                        for (int c = 0; c < want.Length; c++)
                        {
                            want[c] += ds * Key(heads[0], j, c);
                        }
                    }

                    // The first query has one key: dq is zero but for what rounding o left, and has no size to compare with.
                    if (row > 0)
                    {
                        compare.Add("dq", Part(dq, row, heads[0]), want, Bound);
                    }

                    double[] dk = new double[Heads.HeadDim], dv = new double[Heads.HeadDim];
                    foreach (int h in heads)
                    {
                        for (int i = row; i < t; i++)
                        {
                            double p = Weight(h, i, row, given[h].Lse), ds = p * (Product(h, i, row) - given[h].Delta[i]) * Scale;
                            for (int c = 0; c < dk.Length; c++)
                            {
                                dk[c] += ds * q[i, (h * Heads.HeadDim) + c];
                                dv[c] += p * dO[i, (h * Heads.HeadDim) + c];
                            }
                        }
                    }

                    compare.Add("dk", Part(dkv, row, kvHead), dk, Bound);
                    compare.Add("dv", Part(dkv, row, Heads.KvHeads + kvHead), dv, Bound);
                }
            }
        }

        private double Score(int head, int row, int key)
        {
            double sum = 0;
            for (int c = 0; c < Heads.HeadDim; c++)
            {
                sum += q[row, (head * Heads.HeadDim) + c] * Key(head, key, c);
            }

            return sum * Scale;
        }

        private double Weight(int head, int row, int key, float[] sums) => Math.Exp(Score(head, row, key) - sums[row]);

        private double Product(int head, int row, int key)
        {
            double sum = 0;
            for (int c = 0; c < Heads.HeadDim; c++)
            {
                sum += dO[row, (head * Heads.HeadDim) + c] * Value(head, key, c);
            }

            return sum;
        }

        private double[] Deltas(int head) => [.. Enumerable.Range(0, t).Select(row =>
        {
            double[] mine = Part(o, row, head);
            return mine.Select((value, c) => value * dO[row, (head * Heads.HeadDim) + c]).Sum();
        })];

        private double Key(int head, int row, int c) => kv[row, (head * Heads.KvHeads / Heads.Heads * Heads.HeadDim) + c];

        private double Value(int head, int row, int c) =>
            kv[row, ((Heads.KvHeads + (head * Heads.KvHeads / Heads.Heads)) * Heads.HeadDim) + c];

        // A head's columns of a row.
        private double[] Part(Tensor tensor, int row, int head) =>
            [.. bench.Read(tensor, ((long)row * tensor.Columns) + (head * Heads.HeadDim), Heads.HeadDim).Select(v => (double)v)];
    }
}
