using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Benchmarks;

/// <summary>What is measured of the CPU's kernels.</summary>
internal static unsafe class KernelCases
{
    private const int Tokens = 1024;
    private static readonly DType[] Types = [DType.Float32, DType.BFloat16];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<KernelCase> All { get; } =
    [
        Copy(64 << 20),
        .. Types.SelectMany(t =>
            new[]
            {
                Gemm("1024^3", 1024, 1024, 1024, t),
                // models/micro.json, 1024 tokens of a chunk.
                Gemm("micro Q|K|V", Tokens, 512, 256, t),
                Gemm("micro attention output", Tokens, 256, 256, t),
                Gemm("micro gate|up", Tokens, 2048, 256, t),
                Gemm("micro down", Tokens, 256, 1024, t),
                Gemm("micro gate|up gradient", 256, 2048, Tokens, t, Transpose.Yes, Transpose.No, accumulate: true),
                Gemm("micro gate|up backward", Tokens, 256, 2048, t, Transpose.No, Transpose.Yes),
            }
        ),
        .. Types.SelectMany(t =>
            new[]
            {
                Attention("micro: 8 heads (4) of 32", 8, 4, 32, t, backward: false),
                Attention("micro: 8 heads (4) of 32", 8, 4, 32, t, backward: true),
                Attention("8 heads (2) of 128", 8, 2, 128, t, backward: false),
                Attention("8 heads (2) of 128", 8, 2, 128, t, backward: true),
            }
        ),
        .. Types.SelectMany(t =>
            new[]
            {
                RmsNormForward(Tokens, 4096, t),
                RmsNormBackward(Tokens, 4096, t),
                ColumnSum(Tokens, 4096, t),
                Dequantize(4096, 4096, DType.BFloat16, t),
                Dequantize(4096, 4096, DType.Int8, t),
                Dequantize(4096, 4096, DType.Nf4, t),
                Dequantize(4096, 4096, DType.Nf4Nested, t),
                GatedActivationForward(Tokens, 4096, t),
                GatedActivationBackward(Tokens, 4096, t),
                CrossEntropy(256, 32768, t),
                AdamW(1 << 22, t),
            }
        ),
        .. Recipe.All.Select(r => AdamW8Bit(1 << 22, r)),
    ];

    private static KernelCase Copy(long bytes) => new("Copy", $"{bytes >> 20} MiB", "bytes", 2.0 * bytes, WorkUnit.Byte, o =>
        {
            var (from, to) = (o.Matrix(DType.Float32, 1, (int)(bytes / 4)), o.Matrix(DType.Float32, 1, (int)(bytes / 4)));
            return () => Fill.Copy(o.Team, from.Data, to.Data, bytes);
        });

    // c: M x N, over a depth of K.
    private static KernelCase Gemm(
        string name,
        int m,
        int n,
        int k,
        DType type,
        Transpose ta = Transpose.No,
        Transpose tb = Transpose.No,
        bool accumulate = false
    ) => new("Gemm", $"{name} ({m} x {n} x {k})", type.Name(), 2.0 * m * n * k, WorkUnit.Flop, o =>
        {
            var a = ta == Transpose.No ? o.Matrix(type, m, k) : o.Matrix(type, k, m);
            var b = tb == Transpose.No ? o.Matrix(type, k, n) : o.Matrix(type, n, k);
            var c = o.Matrix(type, m, n);
            return () => Cpu.Kernels.Gemm.Run(o.Team, a, ta, b, tb, c, accumulate ? c : null);
        });

    // One sequence of 1024 tokens against itself.
    private static KernelCase Attention(string name, int heads, int kvHeads, int headDim, DType type, bool backward) =>
        new(
            $"Attention {(backward ? "backward" : "forward")}",
            $"{name}, {Tokens} tokens",
            type.Name(),
            (backward ? 5.0 : 2.0) * Tokens * Tokens * headDim * heads,
            WorkUnit.Flop,
            o =>
            {
                int* firstKey = o.Integers(Tokens, 1);
                var forward = new AttentionForwardArguments
                {
                    Query = o.Tensor(type, Tokens, heads * headDim),
                    Keys = new WindowRows(o.Tensor(type, Tokens, 2 * kvHeads * headDim), 0, Tokens),
                    At = new ChunkContext((nuint)firstKey, 0),
                    Heads = new HeadShape(heads, kvHeads, headDim),
                    Output = o.Tensor(type, Tokens, heads * headDim),
                    Lse = o.Tensor(DType.Float32, heads, Tokens).Address,
                };
                Cpu.Kernels.Attention.Forward(o.Team, forward);
                if (!backward)
                {
                    return () => Cpu.Kernels.Attention.Forward(o.Team, forward);
                }

                var call = new AttentionBackwardArguments
                {
                    Query = forward.Query,
                    Keys = forward.Keys,
                    At = forward.At,
                    Heads = forward.Heads,
                    Output = forward.Output,
                    Lse = forward.Lse,
                    GradOutput = o.Tensor(type, Tokens, heads * headDim),
                    GradQuery = o.Tensor(type, Tokens, heads * headDim),
                    GradKeyValue = o.Tensor(DType.Float32, Tokens, 2 * kvHeads * headDim),
                    Accumulate = false,
                    Workspace = 0,
                };
                return () => Cpu.Kernels.Attention.Backward(o.Team, call);
            }
        );

    // x read, y written.
    private static KernelCase RmsNormForward(int rows, int columns, DType type) =>
        new("RmsNorm forward", $"{rows} x {columns}", type.Name(), 2.0 * rows * columns * type.Size(), WorkUnit.Byte, o =>
        {
            var call = new RmsNormForwardArguments
            {
                X = o.Tensor(type, rows, columns),
                Weight = o.Tensor(type, 1, columns),
                WeightOffset = 0,
                Addend = null,
                Epsilon = 1e-5f,
                Y = o.Tensor(type, rows, columns),
                Rstd = o.Tensor(DType.Float32, 1, rows).Address,
            };
            return () => RmsNorm.Forward(o.Team, call);
        });

    // dy and x read for dw, and again with the addend for dx, which is written.
    private static KernelCase RmsNormBackward(int rows, int columns, DType type) =>
        new("RmsNorm backward", $"{rows} x {columns}", type.Name(), 6.0 * rows * columns * type.Size(), WorkUnit.Byte, o =>
        {
            var call = new RmsNormBackwardArguments
            {
                GradY = o.Tensor(type, rows, columns),
                X = o.Tensor(type, rows, columns),
                Rstd = o.Tensor(DType.Float32, 1, rows).Address,
                Weight = o.Tensor(type, 1, columns),
                WeightOffset = 0,
                GradX = o.Tensor(type, rows, columns),
                Addend = o.Tensor(type, rows, columns),
                GradWeight = o.Tensor(type, 1, columns),
                Accumulate = false,
                Workspace = 0,
            };
            return () => RmsNorm.Backward(o.Team, call);
        });

    // a read; its sum is a row.
    private static KernelCase ColumnSum(int rows, int columns, DType type) =>
        new("ColumnSum", $"{rows} x {columns}", type.Name(), (double)rows * columns * type.Size(), WorkUnit.Byte, o =>
        {
            var (a, c) = (o.Matrix(type, rows, columns), o.Matrix(DType.Float32, 1, columns));
            return () => Cpu.Kernels.ColumnSum.Run(o.Team, a, c, accumulate: false);
        });

    // A weight read as it is stored, its copy written.
    private static KernelCase Dequantize(int rows, int columns, DType stored, DType type) =>
        new(
            stored == DType.BFloat16 ? "Dequantize" : $"Dequantize {stored.Name()}",
            $"{rows} x {columns}",
            type.Name(),
            stored.SizeOf((long)rows * columns).Value + type.SizeOf((long)rows * columns).Value,
            WorkUnit.Byte,
            o =>
            {
                var call = new DequantizeArguments
                {
                    Stored = o.Tensor(stored, rows, columns),
                    Dense = o.Tensor(type, rows, columns),
                };
                return () => Cpu.Kernels.Dequantize.Run(o.Team, call);
            });

    // gate and up read, s written.
    private static KernelCase GatedActivationForward(int rows, int columns, DType type) =>
        new("SwiGlu forward", $"{rows} x {columns}", type.Name(), 3.0 * rows * columns * type.Size(), WorkUnit.Byte, o =>
        {
            var (gu, s) = (o.Matrix(type, rows, 2 * columns), o.Matrix(type, rows, columns));
            return () => GatedActivation.Forward(o.Team, Activation.Silu, gu, s);
        });

    // ds, gate and up read and replaced. The values fade to zero over many runs, which costs what other values cost.
    private static KernelCase GatedActivationBackward(int rows, int columns, DType type) =>
        new("SwiGlu backward", $"{rows} x {columns}", type.Name(), 6.0 * rows * columns * type.Size(), WorkUnit.Byte, o =>
        {
            var (gu, ds) = (o.Matrix(type, rows, 2 * columns), o.Matrix(type, rows, columns));
            return () => GatedActivation.Backward(o.Team, Activation.Silu, ds, gu);
        });

    // fp32 logits read, their gradients written.
    private static KernelCase CrossEntropy(int rows, int columns, DType type) =>
        new("CrossEntropy", $"{rows} x {columns}", type.Name(), (4.0 + type.Size()) * rows * columns, WorkUnit.Byte, o =>
        {
            var (logits, gradients, loss) = (
                o.Matrix(DType.Float32, rows, columns),
                o.Matrix(type, rows, columns),
                o.Matrix(DType.Float32, 1, 1)
            );
            int* targets = o.Integers(rows, columns);
            return () =>
                Cpu.Kernels.CrossEntropy.Run(
                    o.Team,
                    logits,
                    LogitMap.Identity,
                    targets,
                    1f,
                    gradients,
                    (float*)loss.Data,
                    accumulateLoss: false
                );
        });

    // The gradient read; the weight and both moments read and written.
    private static KernelCase AdamW(int count, DType type) =>
        new("AdamW", $"{count} parameters", type.Name(), 7.0 * count * type.Size(), WorkUnit.Byte, o =>
        {
            nuint Elements() => o.Tensor(type, 1, count).Address;
            nuint moments = Elements();
            var call = new UpdateArguments
            {
                Range = new UpdateRange(Elements(), Elements(), moments, (nint)Elements() - (nint)moments, 0, 0, 0, count),
                Optimizer = Optimizer.AdamW,
                Recipe = new Recipe(type.Name(), type, type, type, type),
                Scale = UpdateScale.One,
                Norms = 0,
                NormCount = 0,
            };
            StepArguments step = new(1, Optimizer.AdamW.Defaults, 1);
            return () => Cpu.Kernels.Update.Run(o.Team, call, step);
        });

    // The gradient read; the weight, where there is one its master, and both moments' codes and scales read and written. The gradient's
    // numbers stay, and so do the moments after a few runs.
    private static KernelCase AdamW8Bit(int count, Recipe recipe)
    {
        double scales = 2 * 2.0 * sizeof(float) / DynamicMap.BlockElements, codes = 2 * 2;
        double weights = (recipe.Master?.Size() * 2) + recipe.Parameters.Size() ?? 2 * recipe.Parameters.Size();
        return new(
            "AdamW 8-bit moments",
            $"{count} parameters",
            recipe.Name,
            count * (recipe.Gradients.Size() + weights + codes + scales),
            WorkUnit.Byte,
            o =>
            {
                nuint Of(DType type, int elements) => o.Tensor(type, 1, elements).Address;
                nuint Codes() => (nuint)o.Integers(count / sizeof(int), int.MaxValue);
                nuint Scales() => (nuint)o.Integers(count / DynamicMap.BlockElements, 1); // zeros
                var call = new AdamW8BitArguments
                {
                    Weights = Of(recipe.Parameters, count),
                    Gradient = Of(recipe.Gradients, count),
                    FirstCodes = Codes(),
                    FirstScales = Scales(),
                    SecondCodes = Codes(),
                    SecondScales = Scales(),
                    Master = recipe.Master is { } master ? Of(master, count) : 0,
                    Object = 0,
                    FirstElement = 0,
                    Count = count,
                    Recipe = recipe,
                    Norms = 0,
                    NormCount = 0,
                    Scale = UpdateScale.One,
                };
                StepArguments step = new(1, Optimizer.AdamW.Defaults, 1);
                return () => Cpu.Kernels.AdamW8Bit.Run(o.Team, call, step);
            }
        );
    }
}
