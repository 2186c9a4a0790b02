namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>Attention in float64, one query and head at a time, and its gradient.</summary>
public sealed record AttentionDefinition(int Heads, int KvHeads, int HeadDim, int RowOffset, int[] FirstKeys)
{
    /// <summary>Multiplies products.</summary>
    public double Scale { get; init; } = 1 / Math.Sqrt(HeadDim);

    /// <summary>What scores stay within; 0: they may be anything.</summary>
    public double Softcap { get; init; }

    /// <summary>Output, and logsumexp as H x T.</summary>
    public (double[,] O, double[,] Lse) Forward(double[,] q, double[,] kv)
    {
        int tokens = q.GetLength(0);
        double[,] o = new double[tokens, q.GetLength(1)];
        double[,] lse = new double[Heads, tokens];
        for (int h = 0; h < Heads; h++)
        {
            for (int t = 0; t < tokens; t++)
            {
                double[] scores = Scores(q, kv, h, t);
                double max = scores.Max();
                double sum = scores.Sum(s => Math.Exp(s - max));
                lse[h, t] = max + Math.Log(sum);
                for (int i = 0; i < scores.Length; i++)
                {
                    double p = Math.Exp(scores[i] - lse[h, t]);
                    for (int d = 0; d < HeadDim; d++)
                    {
                        o[t, (h * HeadDim) + d] += p * kv[FirstKeys[t] + i, ValueColumn(h) + d];
                    }
                }
            }
        }

        return (o, lse);
    }

    /// <summary>Gradients of sum(dO o); dkv has a row for each row of kv.</summary>
    public (double[,] Dq, double[,] Dkv) Backward(double[,] q, double[,] kv, double[,] dO)
    {
        (double[,] o, double[,] lse) = Forward(q, kv);
        double[,] dq = new double[q.GetLength(0), q.GetLength(1)];
        double[,] dkv = new double[kv.GetLength(0), kv.GetLength(1)];
        for (int h = 0; h < Heads; h++)
        {
            int at = h * HeadDim;
            for (int t = 0; t < q.GetLength(0); t++)
            {
                double[] scores = Scores(q, kv, h, t);
                double delta = 0;
                for (int d = 0; d < HeadDim; d++)
                {
                    delta += dO[t, at + d] * o[t, at + d];
                }

                for (int i = 0; i < scores.Length; i++)
                {
                    int row = FirstKeys[t] + i;
                    double p = Math.Exp(scores[i] - lse[h, t]);
                    double dp = 0;
                    for (int d = 0; d < HeadDim; d++)
                    {
                        dp += dO[t, at + d] * kv[row, ValueColumn(h) + d];
                        dkv[row, ValueColumn(h) + d] += p * dO[t, at + d];
                    }

                    double ratio = Softcap == 0 ? 0 : scores[i] / Softcap;
                    double ds = p * (dp - delta) * Scale * (1 - (ratio * ratio));
                    for (int d = 0; d < HeadDim; d++)
                    {
                        dq[t, at + d] += ds * kv[row, KeyColumn(h) + d];
                        dkv[row, KeyColumn(h) + d] += ds * q[t, at + d];
                    }
                }
            }
        }

        return (dq, dkv);
    }

    private int KeyColumn(int head) => head / (Heads / KvHeads) * HeadDim;

    private int ValueColumn(int head) => KeyColumn(head) + (KvHeads * HeadDim);

    private double[] Scores(double[,] q, double[,] kv, int head, int token)
    {
        double[] scores = new double[RowOffset + token - FirstKeys[token] + 1];
        for (int i = 0; i < scores.Length; i++)
        {
            for (int d = 0; d < HeadDim; d++)
            {
                scores[i] += q[token, (head * HeadDim) + d] * kv[FirstKeys[token] + i, KeyColumn(head) + d];
            }

            scores[i] = Softcap == 0 ? scores[i] * Scale : Softcap * Math.Tanh(scores[i] * Scale / Softcap);
        }

        return scores;
    }
}
