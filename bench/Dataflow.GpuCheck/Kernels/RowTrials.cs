using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.GpuCheck;

/// <summary>Kernels that work row by row: norms, rotation, gated units.</summary>
internal static class RowTrials
{
    private const float Epsilon = 1e-5f;
    private const double Theta = 500000;

    /// <summary>rms_norm.cu forward.</summary>
    public static KernelTrial NormForward(Workbench bench)
    {
        var (t, d) = (bench.Tokens, bench.Model.ModelDim);
        var x = bench.Random(t, d, scale: 2);
        var w = bench.Random(1, d, scale: 0.1f, offset: 1);
        var y = bench.Room(t, d);
        var rstd = bench.Room(1, t, DType.Float32);
        return new KernelTrial("rms_norm forward", 0, 2.0 * t * d * bench.Type.Size(),
            () => bench.Kernels.RmsNorm.Forward(
                bench.Stream,
                new()
                {
                    X = x.Tensor,
                    Weight = w.Tensor,
                    WeightOffset = 0,
                    Addend = null,
                    Epsilon = Epsilon,
                    Y = y,
                    Rstd = rstd.Address,
                }
            ),
            compare =>
            {
                foreach (int row in Samples(t))
                {
                    double scale = Reciprocal(x, row);
                    compare.Add("rstd", [bench.Read(rstd, row, 1)[0]], [scale], Comparison.Single);
                    compare.Add(
                        "y",
                        Row(bench, y, row),
                        [.. Enumerable.Range(0, d).Select(c => x[row, c] * scale * w[0, c])],
                        Comparison.BoundOf(bench.Type)
                    );
                }
            });
    }

    /// <summary>rms_norm.cu backward into the residual stream's gradient, dw accumulated.</summary>
    public static KernelTrial NormBackward(Workbench bench)
    {
        var (t, d) = (bench.Tokens, bench.Model.ModelDim);
        Numbers dy = bench.Random(t, d), x = bench.Random(t, d, scale: 2), stream = bench.Random(t, d);
        Numbers w = bench.Random(1, d, scale: 0.1f, offset: 1), dw = bench.Random(1, d);
        float[] scales = [.. Enumerable.Range(0, t).Select(r => (float)Reciprocal(x, r))];
        nuint rstd = bench.Integers(System.Runtime.InteropServices.MemoryMarshal.Cast<float, int>(scales));
        nuint workspace = bench.Room(KernelWorkspace.RmsNorm(t, d));
        return new KernelTrial(
            "rms_norm backward",
            0,
            4.0 * t * d * bench.Type.Size(),
            () =>
                bench.Kernels.RmsNorm.Backward(
                    bench.Stream,
                    new()
                    {
                        GradY = dy.Tensor,
                        X = x.Tensor,
                        Rstd = rstd,
                        Weight = w.Tensor,
                        WeightOffset = 0,
                        GradX = stream.Tensor,
                        Addend = stream.Tensor,
                        GradWeight = dw.Tensor,
                        Accumulate = true,
                        Workspace = workspace,
                    }
                ),
            compare =>
            {
                foreach (int row in Samples(t))
                {
                    double mean = Enumerable.Range(0, d).Sum(c => dy[row, c] * w[0, c] * x[row, c] * scales[row]) / d;
                    compare.Add(
                        "dx",
                        Row(bench, stream.Tensor, row),
                        [
                            .. Enumerable
                                .Range(0, d)
                                .Select(c => stream[row, c] + (scales[row] * ((dy[row, c] * w[0, c]) - (x[row, c] * scales[row] * mean)))),
                        ],
                        Comparison.BoundOf(bench.Type)
                    );
                }

                int[] columns = Samples(d);
                compare.Add(
                    "dw",
                    [.. columns.Select(c => (double)bench.Read(dw.Tensor, c, 1)[0])],
                    [.. columns.Select(c => dw[0, c] + Enumerable.Range(0, t).Sum(r => dy[r, c] * x[r, c] * scales[r]))],
                    Comparison.BoundOf(bench.Type)
                );
            }
        );
    }

    /// <summary>column_sum.cu, as the gradient of a bias.</summary>
    public static KernelTrial BiasGradient(Workbench bench)
    {
        var (t, d) = (bench.Tokens, bench.Model.ModelDim);
        Numbers dy = bench.Random(t, d), db = bench.Random(1, d);
        var call = new ColumnSumArguments
        {
            A = dy.Tensor,
            C = db.Tensor,
            Accumulate = false,
        };
        return new KernelTrial(
            "column_sum",
            0,
            (double)t * d * bench.Type.Size(),
            () => bench.Kernels.ColumnSum.Run(bench.Stream, call),
            compare =>
            {
                int[] columns = Samples(d);
                compare.Add(
                    "db",
                    [.. columns.Select(c => (double)bench.Read(db.Tensor, c, 1)[0])],
                    [.. columns.Select(c => Enumerable.Range(0, t).Sum(r => (double)dy[r, c]))],
                    Comparison.BoundOf(bench.Type)
                );
            }
        );
    }

    /// <summary>dequantize.cu, of int8 to what products take.</summary>
    public static KernelTrial DequantizeInt8(Workbench bench)
    {
        // So many groups of blocks, then the same again.
        const int period = 4099;
        var (d, f) = (bench.Model.ModelDim, bench.Model.FfnDim);
        var random = new Random(8);
        float[] numbers = new float[period * Int8Blocks.GroupElements];
        byte[] some = new byte[period * Int8Blocks.GroupBytes], all = new byte[DType.Int8.SizeOf((long)f * d).Value];
        Int8Blocks.Store([.. numbers.Select(_ => random.NextSingle() - 0.5f)], some);
        Int8Blocks.Load(some, numbers);
        for (int at = 0; at < all.Length; at += some.Length)
        {
            some.AsSpan(0, Math.Min(some.Length, all.Length - at)).CopyTo(all.AsSpan(at));
        }

        var stored = new Tensor(bench.Integers(MemoryMarshal.Cast<byte, int>(all)), DType.Int8, f, d);
        var dense = bench.Room(f, d);
        var call = new DequantizeArguments { Stored = stored, Dense = dense };
        return new KernelTrial("dequantize int8", 0, stored.Bytes + dense.Bytes,
            () => bench.Kernels.Dequantize.Run(bench.Stream, call),
            compare =>
            {
                double bound = bench.Type == DType.Float32 ? 0 : Comparison.Rounded;
                foreach (int row in Samples(f))
                {
                    var want = Enumerable.Range(0, d).Select(c => (double)numbers[(((long)row * d) + c) % numbers.Length]);
                    compare.Add("dense", Row(bench, dense, row), [.. want], bound);
                }
            });
    }

    /// <summary>dequantize.cu, of nf4 to what products take.</summary>
    public static KernelTrial DequantizeNf4(Workbench bench) => DequantizeFourBits(bench, DType.Nf4);

    /// <summary>The same, of nf4 with nested scales.</summary>
    public static KernelTrial DequantizeNf4Nested(Workbench bench) => DequantizeFourBits(bench, DType.Nf4Nested);

    private static KernelTrial DequantizeFourBits(Workbench bench, DType type)
    {
        var (d, f) = (bench.Model.ModelDim, bench.Model.FfnDim);
        var random = new Random(9);
        var tensor = new Nf4Tensor((long)f * d, type == DType.Nf4Nested);
        float[] numbers = new float[tensor.Elements];
        byte[] all = new byte[tensor.Length];
        tensor.Store([.. numbers.Select(_ => random.NextSingle() - 0.5f)], all);
        tensor.Load(all, 0, numbers);
        var stored = new Tensor(bench.Integers(MemoryMarshal.Cast<byte, int>(all)), type, f, d);
        var dense = bench.Room(f, d);
        var call = new DequantizeArguments { Stored = stored, Dense = dense };
        return new KernelTrial($"dequantize {type.Name()}", 0, stored.Bytes + dense.Bytes,
            () => bench.Kernels.Dequantize.Run(bench.Stream, call),
            compare =>
            {
                double bound = bench.Type == DType.Float32 ? 0 : Comparison.Rounded;
                foreach (int row in Samples(f))
                {
                    compare.Add("dense", Row(bench, dense, row), [.. numbers.Skip(row * d).Take(d).Select(v => (double)v)], bound);
                }
            });
    }

    /// <summary>dequantize.cu, of bf16 to fp32.</summary>
    public static KernelTrial Dequantize(Workbench bench)
    {
        var (d, f) = (bench.Model.ModelDim, bench.Model.FfnDim);
        var stored = bench.Random(f, d, DType.BFloat16);
        var dense = bench.Room(f, d, DType.Float32);
        var call = new DequantizeArguments { Stored = stored.Tensor, Dense = dense };
        return new KernelTrial("dequantize", 0, 6.0 * f * d,
            () => bench.Kernels.Dequantize.Run(bench.Stream, call),
            compare =>
            {
                foreach (int row in Samples(f))
                {
                    compare.Add("dense", Row(bench, dense, row), [.. Enumerable.Range(0, d).Select(c => (double)stored[row, c])], 0);
                }
            });
    }

    /// <summary>gated_activation.cu forward.</summary>
    public static KernelTrial GateForward(Workbench bench)
    {
        var (t, f) = (bench.Tokens, bench.Model.FfnDim);
        var gateUp = bench.Random(t, 2 * f);
        var ffn = bench.Room(t, f);
        return new KernelTrial("swi_glu forward", 0, 3.0 * t * f * bench.Type.Size(),
            () => bench.Kernels.GatedActivation.Forward(bench.Stream, Activation.Silu, gateUp.Tensor, ffn),
            compare =>
            {
                foreach (int row in Samples(t))
                {
                    compare.Add(
                        "ffn",
                        Row(bench, ffn, row),
                        [.. Enumerable.Range(0, f).Select(c => Silu(gateUp[row, c]) * gateUp[row, f + c])],
                        Comparison.BoundOf(bench.Type)
                    );
                }
            });
    }

    /// <summary>gated_activation.cu backward, in place: from its second launch on it works on its own results.</summary>
    public static KernelTrial GateBackward(Workbench bench)
    {
        var (t, f) = (bench.Tokens, bench.Model.FfnDim);
        Numbers gateUp = bench.Random(t, 2 * f), gradient = bench.Random(t, f);
        return new KernelTrial("swi_glu backward", 0, 6.0 * t * f * bench.Type.Size(),
            () => bench.Kernels.GatedActivation.Backward(bench.Stream, Activation.Silu, gradient.Tensor, gateUp.Tensor),
            compare =>
            {
                foreach (int row in Samples(t))
                {
                    double Gate(int c) => gateUp[row, c];
                    double Slope(int c) => (1 / (1 + Math.Exp(-Gate(c)))) is var s ? s * (1 + (Gate(c) * (1 - s))) : 0;
                    double[] both = Row(bench, gateUp.Tensor, row);
                    compare.Add(
                        "ffn",
                        Row(bench, gradient.Tensor, row),
                        [.. Enumerable.Range(0, f).Select(c => Silu(Gate(c)) * gateUp[row, f + c])],
                        Comparison.BoundOf(bench.Type)
                    );
                    compare.Add(
                        "dgate",
                        both[..f],
                        [.. Enumerable.Range(0, f).Select(c => gradient[row, c] * gateUp[row, f + c] * Slope(c))],
                        Comparison.BoundOf(bench.Type)
                    );
                    compare.Add(
                        "dup",
                        both[f..],
                        [.. Enumerable.Range(0, f).Select(c => gradient[row, c] * Silu(Gate(c)))],
                        Comparison.BoundOf(bench.Type)
                    );
                }
            });
    }

    /// <summary>qk_norm_rope.cu forward without norms.</summary>
    public static KernelTrial RotateForward(Workbench bench)
    {
        var heads = Heads(bench);
        int t = bench.Tokens, width = (heads.Heads + (2 * heads.KvHeads)) * heads.HeadDim, queries = heads.Heads * heads.HeadDim;
        var qkv = bench.Random(t, width);
        Tensor q = bench.Room(t, queries), kv = bench.Room(t, width - queries);
        var at = new ChunkContext(bench.Integers(new int[t]), 0);
        return new KernelTrial("rope forward", 0, 2.0 * t * width * bench.Type.Size(),
            () => bench.Kernels.QkNormRope.Forward(
                bench.Stream,
                new()
                {
                    Qkv = qkv.Tensor,
                    QueryNorm = null,
                    KeyNorm = null,
                    Epsilon = Epsilon,
                    At = at,
                    Rotary = RotaryTable.Plain(Theta, heads.HeadDim),
                    Heads = heads,
                    Query = q,
                    KeyValue = kv,
                }
            ),
            compare =>
            {
                foreach (int row in Samples(t))
                {
                    double[] got = [.. Row(bench, q, row), .. Row(bench, kv, row)];
                    compare.Add("q and kv", got, Turned(heads, row, +1, c => qkv[row, c]), Comparison.BoundOf(bench.Type));
                }
            });
    }

    /// <summary>qk_norm_rope.cu backward without norms.</summary>
    public static KernelTrial RotateBackward(Workbench bench)
    {
        var heads = Heads(bench);
        int t = bench.Tokens, width = (heads.Heads + (2 * heads.KvHeads)) * heads.HeadDim, queries = heads.Heads * heads.HeadDim;
        Numbers dq = bench.Random(t, queries), dkv = bench.Random(t, width - queries, DType.Float32);
        var dqkv = bench.Room(t, width);
        var at = new ChunkContext(bench.Integers(new int[t]), 0);
        double bytes = t * (((double)(queries + width) * bench.Type.Size()) + ((width - queries) * 4.0));
        return new KernelTrial(
            "rope backward",
            0,
            bytes,
            () =>
                bench.Kernels.QkNormRope.Backward(
                    bench.Stream,
                    new()
                    {
                        GradQuery = dq.Tensor,
                        GradKeyValue = dkv.Tensor,
                        Qkv = null,
                        QueryNorm = null,
                        KeyNorm = null,
                        Epsilon = Epsilon,
                        At = at,
                        Rotary = RotaryTable.Plain(Theta, heads.HeadDim),
                        Heads = heads,
                        GradQkv = dqkv,
                        GradQueryNorm = null,
                        GradKeyNorm = null,
                        Accumulate = false,
                        Workspace = 0,
                    }
                ),
            compare =>
            {
                foreach (int row in Samples(t))
                {
                    compare.Add(
                        "dqkv",
                        Row(bench, dqkv, row),
                        Turned(heads, row, -1, c => c < queries ? dq[row, c] : dkv[row, c - queries]),
                        Comparison.BoundOf(bench.Type)
                    );
                }
            });
    }

    /// <summary>A few of so many, the first and the last among them.</summary>
    public static int[] Samples(int count) =>
        [.. new[] { 0, 1, count / 3, count / 2, count - 2, count - 1 }.Select(i => Math.Clamp(i, 0, count - 1)).Distinct()];

    /// <summary>A row of a result.</summary>
    public static double[] Row(Workbench bench, Tensor tensor, int row) =>
        [.. bench.Read(tensor, (long)row * tensor.Columns, tensor.Columns).Select(v => (double)v)];

    /// <summary>The heads of a bench's model.</summary>
    public static HeadShape Heads(Workbench bench) => HeadShape.Of(bench.Model);

    private static double Silu(double g) => g / (1 + Math.Exp(-g));

    private static double Reciprocal(Numbers x, int row) =>
        1 / Math.Sqrt((Enumerable.Range(0, x.Tensor.Columns).Sum(c => x[row, c] * x[row, c]) / x.Tensor.Columns) + Epsilon);

    // Query and key heads turned by their position, one way or back; values as they are.
    private static double[] Turned(HeadShape heads, int position, int direction, Func<int, double> value)
    {
        int hd = heads.HeadDim, half = hd / 2;
        double[] result = new double[(heads.Heads + (2 * heads.KvHeads)) * hd];
        for (int c = 0; c < result.Length; c++)
        {
            int head = c / hd, i = c % hd % half;
            double angle = direction * position * Math.Pow(Theta, -2.0 * i / hd);
            double first = value((head * hd) + i), second = value((head * hd) + i + half);
            result[c] = head >= heads.Heads + heads.KvHeads ? value(c)
                : c % hd < half ? (first * Math.Cos(angle)) - (second * Math.Sin(angle))
                : (second * Math.Cos(angle)) + (first * Math.Sin(angle));
        }

        return result;
    }
}
