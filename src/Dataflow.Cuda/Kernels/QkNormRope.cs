using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/qk_norm_rope.cu, with norms or without.</summary>
internal sealed unsafe class QkNormRope(KernelLibrary library, ColumnSum columnSum)
{
    // Of the block's tokens beside their angles: three fp32 each.
    private const int TokenBytes = 192;

    // In the order of QkNormKind.
    private static readonly string[] s_names = ["qk_norm_rope", "rope_qk_norm", "qk_row_norm_rope", "qk_layer_norm_rope", "qkv_norm_rope"];

    private readonly Entry ropeForward = new(library, "rope_forward");
    private readonly Entry ropeBackward = new(library, "rope_backward");
    private readonly Entry[] forward = [.. s_names.Select(n => new Entry(library, n + "_forward"))];
    private readonly Entry[] backward = [.. s_names.Select(n => new Entry(library, n + "_backward"))];

    /// <inheritdoc cref="IKernels.QkNormRopeForward"/>
    public void Forward(CudaStream stream, in QkNormRopeForwardArguments call)
    {
        var shape = Shape(call.Qkv.Rows, call.Heads);
        var rotary = new RotaryParameter(call.Rotary, call.QueryScale, call.Lengths, call.Heads.HeadDim);
        if (call.QueryNorm is null)
        {
            ropeForward[call.Qkv.Type, call.Heads.HeadDim]
                .Launch(
                    stream,
                    shape,
                    At(call.Qkv),
                    At(call.At.FirstKey),
                    At(call.Query),
                    At(call.KeyValue),
                    KernelArgument.At(&rotary),
                    call.Qkv.Rows,
                    call.At.Row,
                    call.Heads.Heads,
                    call.Heads.KvHeads,
                    call.Heads.HeadDim
                );
            return;
        }

        forward[(int)call.NormKind][call.Qkv.Type, call.Heads.HeadDim]
            .Launch(
                stream,
                shape,
                At(call.Qkv),
                At(call.At.FirstKey),
                At(call.QueryNorm),
                At(call.KeyNorm),
                At(call.Query),
                At(call.KeyValue),
                KernelArgument.At(&rotary),
                call.Epsilon,
                call.WeightOffset,
                call.Qkv.Rows,
                call.At.Row,
                call.Heads.Heads,
                call.Heads.KvHeads,
                call.Heads.HeadDim,
                call.KeysAreValues ? 0 : call.Heads.KvHeads
            );
    }

    /// <inheritdoc cref="IKernels.QkNormRopeBackward"/>
    public void Backward(CudaStream stream, in QkNormRopeBackwardArguments call)
    {
        var rotary = new RotaryParameter(call.Rotary, call.QueryScale, call.Lengths, call.Heads.HeadDim);
        int rows = call.GradQkv.Rows;
        if (call.QueryNorm is null)
        {
            ropeBackward[call.GradQkv.Type, call.Heads.HeadDim]
                .Launch(
                    stream,
                    Shape(rows, call.Heads),
                    At(call.GradQuery),
                    At(call.GradKeyValue),
                    At(call.At.FirstKey),
                    At(call.GradQkv),
                    KernelArgument.At(&rotary),
                    rows,
                    call.At.Row,
                    call.Heads.Heads,
                    call.Heads.KvHeads,
                    call.Heads.HeadDim
                );
            return;
        }

        int groups = KernelWorkspace.QkNormGroups(rows);
        nuint keyPartials = call.Workspace + (nuint)((long)groups * call.QueryNorm.Value.Columns * sizeof(float));
        int run = Entry.IsWide(call.GradQkv.Type, call.Heads.HeadDim) ? 8 : PackOf(call.GradQkv.Type);
        int lanes = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Up(call.Heads.HeadDim / 2, run));
        bool ownWeights = call.NormKind is QkNormKind.Rows or QkNormKind.HeadsCentred;
        var shape = Shape(rows, call.Heads, ownWeights ? 0 : 1024 * call.Heads.HeadDim / lanes);
        backward[(int)call.NormKind][call.GradQkv.Type, call.Heads.HeadDim]
            .Launch(
                stream,
                shape,
                At(call.GradQuery),
                At(call.GradKeyValue),
                At(call.At.FirstKey),
                At(call.Qkv),
                At(call.QueryNorm),
                At(call.KeyNorm),
                At(call.GradQkv),
                At(call.Workspace),
                At(keyPartials),
                KernelArgument.At(&rotary),
                call.Epsilon,
                call.WeightOffset,
                rows,
                call.At.Row,
                call.Heads.Heads,
                call.Heads.KvHeads,
                call.Heads.HeadDim,
                call.KeysAreValues ? 0 : call.Heads.KvHeads
            );
        if (call.GradQueryNorm is { } gradQuery)
        {
            columnSum.Run(stream, call.Workspace, groups, gradQuery, call.Accumulate);
        }

        if (call.GradKeyNorm is { } gradKey)
        {
            columnSum.Run(stream, keyPartials, groups, gradKey, call.Accumulate);
        }
    }

    private static LaunchShape Shape(int rows, HeadShape heads, int sums = 0) =>
        new(KernelWorkspace.QkNormGroups(rows), 256, (68 * heads.HeadDim) + TokenBytes + sums);

    /// <summary>
    /// A kernel's variants by type, by whether half a head is made of whole 16-byte accesses, and by whether 32 lanes hold it by such.
    /// </summary>
    private readonly struct Entry
    {
        // Of the widest head, backward.
        private static readonly Bytes s_mostShared = new((68 * 512) + TokenBytes + (1024 * 512 / 32));

        private readonly TypedFunction aligned;
        private readonly TypedFunction unaligned;
        private readonly CudaFunction wide;

        public Entry(KernelLibrary library, string name)
        {
            aligned = library.Typed("qk_norm_rope", name);
            unaligned = new(Function("f32_unaligned"), Function("bf16_unaligned"));
            wide = Function("f32_wide");
            foreach (var function in new[] { aligned.BFloat16, unaligned.BFloat16, wide })
            {
                function.AllowDynamicShared(s_mostShared);
            }

            CudaFunction Function(string variant) => library.Function("qk_norm_rope", $"{name}_{variant}");
        }

        public static bool IsWide(DType type, int headDim) => type == DType.Float32 && headDim > 256;

        public CudaFunction this[DType type, int headDim] =>
            IsWide(type, headDim) ? wide
            : headDim / 2 % PackOf(type) == 0 ? aligned[type]
            : unaligned[type];
    }
}
