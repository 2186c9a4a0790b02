using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// What models vary in their heads, as the device launches it, against float64: the scale and the softcap of scores, what is normed, and
/// by what queries and weights grow. Gradients are held against finite differences of the definition.
/// </summary>
[Trait("Slow", "true")]
public sealed class HeadVariantTests : IDisposable
{
    private const int Tokens = 21,
        Row = 3;

    // Of so many elements one is differentiated, where the definition takes long.
    private const int Some = 29;

    private readonly DeviceOperands operands = new();
    private readonly KernelLibrary library;

    public HeadVariantTests() => library = new KernelLibrary(operands.Context, KernelImages.Emulated(EmulatedDriver.Folder));

    [Theory]
    [InlineData(DType.Float32, 16, 0.3f, null)]
    [InlineData(DType.Float32, 16, 0.3f, 0.8f)]
    [InlineData(DType.BFloat16, 64, 0.2f, null)]
    [InlineData(DType.BFloat16, 64, 0.2f, 0.8f)]
    [InlineData(DType.BFloat16, 18, 0.3f, 0.8f)]
    [InlineData(DType.BFloat16, 96, 0.1f, null)]
    [InlineData(DType.BFloat16, 256, 0.1f, null)]
    [InlineData(DType.BFloat16, 256, 0.1f, 0.8f)]
    public void Scores_are_scaled_and_softcapped(DType type, int headDim, float scale, float? softcap)
    {
        var heads = new HeadShape(2, 1, headDim) { Scale = scale, Softcap = softcap };
        int rows = Row + Tokens, queries = 2 * headDim;
        var (q, qs) = operands.Random(type, Tokens, queries, 1);
        var (kv, kvs) = operands.Random(type, rows, queries, 2);
        var (dO, weights) = operands.Random(type, Tokens, queries, 3);
        Tensor o = operands.Room(type, Tokens, queries), lse = operands.Room(DType.Float32, 2, Tokens);
        Tensor dq = operands.Room(type, Tokens, queries), dkv = operands.Room(DType.Float32, rows, queries);
        var forward = new AttentionForwardArguments
        {
            Query = q,
            Keys = new WindowRows(kv, 0, rows),
            At = new ChunkContext(operands.Words(new int[Tokens]).Address, Row),
            Heads = heads,
            Output = o,
            Lse = lse.Address,
        };
        var backward = new AttentionBackwardArguments
        {
            Query = q,
            Keys = forward.Keys,
            At = forward.At,
            Heads = heads,
            Output = o,
            Lse = lse.Address,
            GradOutput = dO,
            GradQuery = dq,
            GradKeyValue = dkv,
            Accumulate = false,
            Workspace = operands.Room(KernelWorkspace.AttentionBackward(Tokens, 2, headDim)),
        };
        if (type == DType.Float32)
        {
            var plain = new PlainAttention(library, type, heads);
            plain.Forward(operands.Stream, forward);
            plain.Backward(operands.Stream, backward);
        }
        else
        {
            var flash = new FlashAttention(library, heads, EmulatedDriver.Gpu.SharedMemoryPerBlock);
            flash.Forward(operands.Stream, forward);
            flash.Backward(operands.Stream, backward);
        }

        double[] Define() => Attended(qs, kvs, heads);
        double limit = type == DType.Float32 ? 1e-5 : 8e-3;
        AssertClose(Define(), operands.Read(o), limit);
        AssertClose(Differences(qs, weights, Define, Some), operands.Read(dq), limit);
        AssertClose(Differences(kvs, weights, Define, Some), operands.Read(dkv), limit);
    }

    [Theory]
    [InlineData(QkNormKind.Heads, 8)]
    [InlineData(QkNormKind.HeadsAfterRotation, 12)]
    [InlineData(QkNormKind.Rows, 8)]
    [InlineData(QkNormKind.Rows, 12)]
    [InlineData(QkNormKind.HeadsCentred, 8)]
    [InlineData(QkNormKind.HeadsCentred, 12)]
    public void Queries_and_keys_are_normed_turned_and_scaled(QkNormKind kind, int headDim)
    {
        int queries = 2 * headDim, width = 4 * headDim, normed = kind is QkNormKind.Rows or QkNormKind.HeadsCentred ? queries : headDim;
        var (qkv, values) = operands.Random(DType.Float32, Tokens, width, 1);
        var (qNorm, qw) = operands.Random(DType.Float32, 1, normed, 2);
        var (kNorm, kw) = operands.Random(DType.Float32, 1, headDim, 3);
        var (dq, dqs) = operands.Random(DType.Float32, Tokens, queries, 4);
        var (dkv, dkvs) = operands.Random(DType.Float32, Tokens, queries, 5);
        Tensor q = operands.Room(DType.Float32, Tokens, queries), kv = operands.Room(DType.Float32, Tokens, queries);
        Tensor dqkv = operands.Room(DType.Float32, Tokens, width);
        Tensor dqNorm = operands.Room(DType.Float32, 1, normed), dkNorm = operands.Room(DType.Float32, 1, headDim);
        var rotary = new RotaryTable([.. Enumerable.Range(0, headDim / 2).Select(i => i == 1 ? 0 : 0.3 / (i + 1))], 1.25);
        var scale = new QueryScale(0.2, 5);
        var kernel = new QkNormRope(library, new ColumnSum(library));
        var at = new ChunkContext(operands.Words(new int[Tokens]).Address, Row);
        var heads = new HeadShape(2, 1, headDim);
        kernel.Forward(
            operands.Stream,
            new QkNormRopeForwardArguments
            {
                Qkv = qkv,
                QueryNorm = qNorm,
                KeyNorm = kNorm,
                Epsilon = 1e-5f,
                At = at,
                Rotary = rotary,
                NormKind = kind,
                WeightOffset = 1,
                QueryScale = scale,
                Heads = heads,
                Query = q,
                KeyValue = kv,
            }
        );
        kernel.Backward(
            operands.Stream,
            new QkNormRopeBackwardArguments
            {
                GradQuery = dq,
                GradKeyValue = dkv,
                Qkv = qkv,
                QueryNorm = qNorm,
                KeyNorm = kNorm,
                Epsilon = 1e-5f,
                At = at,
                Rotary = rotary,
                NormKind = kind,
                WeightOffset = 1,
                QueryScale = scale,
                Heads = heads,
                GradQkv = dqkv,
                GradQueryNorm = dqNorm,
                GradKeyNorm = dkNorm,
                Accumulate = false,
                Workspace = operands.Room(KernelWorkspace.QkNorm(Tokens, normed, headDim)),
            }
        );

        // All queries, then all keys and values: as the gradients lie.
        double[] Define()
        {
            double[] all = [.. dqs, .. dkvs];
            for (int t = 0; t < Tokens; t++)
            {
                double[] row = values[(t * width)..((t + 1) * width)];
                double[] turned = Turned(row[..queries], qw, kind, rotary, t + Row);
                double[] keys = Turned(row[queries..(3 * headDim)], kw, kind, rotary, t + Row);
                double grown = 1 + (scale.Beta * Math.Log(1 + ((t + Row) / scale.OriginalLength)));
                turned.Select(v => v * grown).ToArray().CopyTo(all, t * queries);
                keys.Concat(row[(3 * headDim)..]).ToArray().CopyTo(all, (Tokens + t) * queries);
            }

            return all;
        }

        double[] weights = [.. dqs, .. dkvs];
        AssertClose(Define(), [.. operands.Read(q), .. operands.Read(kv)], 1e-6);
        AssertClose(Differences(values, weights, Define), operands.Read(dqkv), 2e-6);
        AssertClose(Differences(qw, weights, Define), operands.Read(dqNorm), 2e-6);
        AssertClose(Differences(kw, weights, Define), operands.Read(dkNorm), 2e-6);
    }

    public void Dispose()
    {
        library.Dispose();
        operands.Dispose();
    }

    private static double[] Attended(double[] q, double[] kv, HeadShape heads)
    {
        int width = heads.Heads * heads.HeadDim, d = heads.HeadDim;
        double[] o = new double[q.Length];
        for (int t = 0; t < Tokens; t++)
        {
            for (int h = 0; h < heads.Heads; h++)
            {
                double[] scores = new double[Row + t + 1];
                for (int k = 0; k < scores.Length; k++)
                {
                    double s = heads.Scale * Enumerable.Range(0, d).Sum(i => q[(t * width) + (h * d) + i] * kv[(k * 2 * d) + i]);
                    scores[k] = Math.Exp(heads.Softcap is { } cap ? cap * Math.Tanh(s / cap) : s);
                }

                double total = scores.Sum();
                for (int i = 0; i < d; i++)
                {
                    o[(t * width) + (h * d) + i] = scores.Select((p, k) => p * kv[(k * 2 * d) + d + i]).Sum() / total;
                }
            }
        }

        return o;
    }

    private static double[] Turned(double[] row, double[] norm, QkNormKind kind, RotaryTable rotary, int position)
    {
        int half = rotary.InverseFrequencies.Length, together = kind == QkNormKind.Rows ? row.Length : 2 * half;
        double[] all = kind == QkNormKind.HeadsAfterRotation ? Normed(Turn(row)) : Turn(Normed(row));
        return all;

        double[] Normed(double[] x) =>
            [
                .. x.Chunk(together).Select(part => Centred(part)).SelectMany((part, h) =>
                    part.Select((v, j) => v * Weight(h, j) / Math.Sqrt((part.Sum(p => p * p) / part.Length) + 1e-5))),
            ];

        double[] Centred(double[] part) => [.. part.Select(v => v - (kind == QkNormKind.HeadsCentred ? part.Average() : 0))];

        double Weight(int head, int i) => norm[(kind == QkNormKind.HeadsCentred ? head * together : 0) + i] + 1;

        double[] Turn(double[] x) =>
            [
                .. x.Select((v, j) =>
                {
                    int i = j % (2 * half);
                    double frequency = rotary.InverseFrequencies[i % half], size = frequency == 0 ? 1 : rotary.Factor;
                    var (sin, cos) = Math.SinCos(position * frequency);
                    return size * ((v * cos) + (i < half ? -x[j + half] * sin : x[j - half] * sin));
                }),
            ];
    }

    /// <summary>NaN where none is taken.</summary>
    private static double[] Differences(double[] input, double[] weights, Func<double[]> define, int every = 1)
    {
        const double Step = 1e-5;
        double[] result = new double[input.Length];
        Array.Fill(result, double.NaN);
        for (int i = 0; i < input.Length; i += every)
        {
            double at = input[i];
            input[i] = at + Step;
            double above = Dot();
            input[i] = at - Step;
            double below = Dot();
            input[i] = at;
            result[i] = (above - below) / (2 * Step);
        }

        return result;

        double Dot() => define().Zip(weights, (a, b) => a * b).Sum();
    }

    private static void AssertClose(double[] expected, double[] got, double limit)
    {
        Assert.Equal(expected.Length, got.Length);
        var known = expected.Zip(got).Where(p => !double.IsNaN(p.First)).ToList();
        double error = Math.Sqrt(known.Sum(p => Math.Pow(p.First - p.Second, 2)) / known.Sum(p => p.First * p.First));
        Assert.True(error <= limit, $"off by {error}, more than {limit}");
    }
}
