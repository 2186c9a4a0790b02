using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>A case of QkNormRope, and what it is defined to yield, in float64.</summary>
internal sealed record QkNormRopeShape(int Heads, int KvHeads, int HeadDim, int RowOffset, int[] FirstKeys)
{
    public const float Epsilon = 1e-6f;
    public const double Theta = 10000;

    public int Width => (Heads + ((KeysAreValues ? 1 : 2) * KvHeads)) * HeadDim;

    public bool KeysAreValues { get; init; }

    public RotaryTable Rotary { get; init; } = RotaryTable.Plain(Theta, HeadDim);

    public QkNormKind Kind { get; init; }

    public float WeightOffset { get; init; }

    public QueryScale? QueryScale { get; init; }

    /// <summary>Of a norm of so many heads.</summary>
    public int Weights(int heads) => Kind is QkNormKind.Rows or QkNormKind.HeadsCentred ? heads * HeadDim : HeadDim;

    /// <summary>q | k | v of the projections: norms and rotation.</summary>
    public double[,] Definition(double[,] qkv, double[,]? qNorm, double[,]? kNorm)
    {
        double[,] result = new double[qkv.GetLength(0), (Heads + (2 * KvHeads)) * HeadDim];
        for (int t = 0; t < qkv.GetLength(0); t++)
        {
            double periods = QueryScale is { } scale ? Math.Floor((double)Position(t) / scale.OriginalLength) : 0;
            Define(t, 0, Heads, qNorm, 1 + ((QueryScale?.Beta ?? 0) * Math.Log(1 + periods)));
            Define(t, Heads, KvHeads, kNorm, 1);
            DefineValues(t);
        }

        return result;

        void DefineValues(int t)
        {
            int from = (Heads + (KeysAreValues ? 0 : KvHeads)) * HeadDim, to = (Heads + KvHeads) * HeadDim;
            for (int at = 0; at < KvHeads * HeadDim; at += HeadDim)
            {
                double squares = Enumerable.Range(from + at, HeadDim).Sum(j => qkv[t, j] * qkv[t, j]);
                double rstd = Kind == QkNormKind.HeadsAndValues ? 1 / Math.Sqrt((squares / HeadDim) + Epsilon) : 1;
                for (int j = at; j < at + HeadDim; j++)
                {
                    result[t, to + j] = qkv[t, from + j] * rstd;
                }
            }
        }

        void Define(int t, int firstHead, int heads, double[,]? norm, double scale)
        {
            int together = Kind == QkNormKind.Rows ? heads : 1;
            for (int h = 0; h < heads; h += together)
            {
                int at = (firstHead + h) * HeadDim;
                double[] x = [.. Enumerable.Range(at, together * HeadDim).Select(j => qkv[t, j])];
                int skipped = Kind == QkNormKind.HeadsCentred ? h * HeadDim : 0;
                x = Kind == QkNormKind.HeadsAfterRotation ? Normed(Turned(x, t), norm, skipped) : Turned(Normed(x, norm, skipped), t);
                for (int j = 0; j < x.Length; j++)
                {
                    result[t, at + j] = x[j] * scale;
                }
            }
        }
    }

    /// <summary>Some columns.</summary>
    public static double[,] Columns(double[,] from, int first, int count)
    {
        double[,] part = new double[from.GetLength(0), count];
        for (int t = 0; t < from.GetLength(0); t++)
        {
            for (int j = 0; j < count; j++)
            {
                part[t, j] = from[t, first + j];
            }
        }

        return part;
    }

    private int Position(int t) => RowOffset + t - FirstKeys[t];

    private double[] Normed(double[] x, double[,]? norm, int skipped)
    {
        double mean = Kind == QkNormKind.HeadsCentred && norm is not null ? x.Average() : 0;
        x = [.. x.Select(v => v - mean)];
        double rstd = 1 / Math.Sqrt((x.Sum(v => v * v) / x.Length) + Epsilon);
        return norm is null ? x : [.. x.Select((v, j) => v * rstd * (norm[0, skipped + j] + WeightOffset))];
    }

    private double[] Turned(double[] x, int t)
    {
        double[] y = new double[x.Length];
        int half = HeadDim / 2;
        for (int j = 0; j < x.Length; j++)
        {
            int i = j % HeadDim;
            double frequency = Rotary.InverseFrequencies[i % half], factor = frequency == 0 ? 1 : Rotary.Factor;
            var (sin, cos) = Math.SinCos(Position(t) * frequency);
            y[j] = factor * ((x[j] * cos) + (i < half ? -x[j + half] * sin : x[j - half] * sin));
        }

        return y;
    }
}
