using Dataflow.Model;

namespace Dataflow.Cuda.Emulated.Tests.Cudnn;

/// <summary>Queries of one sequence, and the keys that end where they end.</summary>
internal readonly record struct Part(int FirstQuery, int Queries, int FirstKey, int Keys);

/// <summary>Attention and its gradients in float64, by the formulas, one pair of query and key at a time.</summary>
/// <param name="call">What is computed.</param>
/// <param name="parts">Its sequences.</param>
internal sealed class AttentionDefinition(CudnnAttention call, IReadOnlyList<Part> parts)
{
    private int Width => call.HeadDim;

    private int QueryRow => call.Heads * Width;

    private int KeyRow => 2 * call.KvHeads * Width;

    /// <summary>[tokens, heads x d].</summary>
    public double[] Output { get; private set; } = [];

    /// <summary>By (head, token).</summary>
    public Dictionary<(int Head, int Query), double> LogSumExp { get; } = [];

    /// <summary>As the output.</summary>
    public double[] GradQuery { get; private set; } = [];

    /// <summary>[rows, keys then values].</summary>
    public double[] GradKeyValue { get; private set; } = [];

    /// <summary>By head, with the sign of the derivative.</summary>
    public double[] GradSink { get; private set; } = [];

    public void Compute(double[] q, double[] kv, double[] gradOutput, double[] sink)
    {
        (Output, GradQuery) = (new double[q.Length], new double[q.Length]);
        (GradKeyValue, GradSink) = (new double[kv.Length], new double[call.Heads]);
        foreach (var part in parts)
        {
            for (int head = 0; head < call.Heads; head++)
            {
                for (int i = 0; i < part.Queries; i++)
                {
                    Row(part, head, i, q, kv, gradOutput, sink);
                }
            }
        }
    }

    private bool Sees(Part part, int i, int j)
    {
        int position = i + part.Keys - part.Queries;
        return (!call.Causal || j <= position) && (call.Window is not { } window || j + window > position);
    }

    private void Row(Part part, int head, int i, double[] q, double[] kv, double[] gradOutput, double[] sink)
    {
        double scale = call.Scale ?? (1 / Math.Sqrt(Width));
        int from = ((part.FirstQuery + i) * QueryRow) + (head * Width), kvHead = head / call.GroupHeads * Width;
        int Key(int j) => ((part.FirstKey + j) * KeyRow) + kvHead;
        int Value(int j) => Key(j) + (KeyRow / 2);
        int[] seen = [.. Enumerable.Range(0, part.Keys).Where(j => Sees(part, i, j))];
        double[] raw = [.. seen.Select(j => scale * Dot(q, from, kv, Key(j)))];
        double[] scores = [.. raw.Select(s => call.Softcap is { } cap ? cap * Math.Tanh(s / cap) : s)];
        double most = scores.Append(call.Sink ? sink[head] : double.NegativeInfinity).Max();
        double total = scores.Sum(s => Math.Exp(s - most)) + (call.Sink ? Math.Exp(sink[head] - most) : 0);
        double lse = most + Math.Log(total);
        LogSumExp[(head, part.FirstQuery + i)] = lse;
        double[] shares = [.. scores.Select(s => Math.Exp(s - lse))];
        for (int e = 0; e < Width; e++)
        {
            Output[from + e] = seen.Select((j, n) => shares[n] * kv[Value(j) + e]).Sum();
        }

        double product = Dot(gradOutput, from, Output, from);
        GradSink[head] -= call.Sink ? Math.Exp(sink[head] - lse) * product : 0;
        for (int n = 0; n < seen.Length; n++)
        {
            int key = Key(seen[n]), value = Value(seen[n]);
            double slope = call.Softcap is { } cap ? 1 - Math.Pow(Math.Tanh(raw[n] / cap), 2) : 1;
            double gradient = shares[n] * (Dot(gradOutput, from, kv, value) - product) * slope * scale;
            for (int e = 0; e < Width; e++)
            {
                GradKeyValue[value + e] += shares[n] * gradOutput[from + e];
                GradQuery[from + e] += gradient * kv[key + e];
                GradKeyValue[key + e] += gradient * q[from + e];
            }
        }
    }

    private double Dot(double[] a, int atA, double[] b, int atB)
    {
        double sum = 0;
        for (int e = 0; e < Width; e++)
        {
            sum += a[atA + e] * b[atB + e];
        }

        return sum;
    }
}
