using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/qk_norm_rope.cu, with norms or without.</summary>
internal sealed class QkNormRope(KernelLibrary library, ColumnSum columnSum)
{
    private readonly Entry forward = new(library, "qk_norm_rope_forward");
    private readonly Entry backward = new(library, "qk_norm_rope_backward");
    private readonly Entry ropeForward = new(library, "rope_forward");
    private readonly Entry ropeBackward = new(library, "rope_backward");

    /// <inheritdoc cref="IKernels.QkNormRopeForward"/>
    public void Forward(
        CudaStream stream,
        Tensor qkv,
        Tensor? qNorm,
        Tensor? kNorm,
        float epsilon,
        ChunkContext at,
        double theta,
        HeadShape heads,
        Tensor? q,
        Tensor? kv
    )
    {
        var shape = Shape(qkv.Rows, 68 * heads.HeadDim);
        double ratio = Log2Ratio(theta, heads);
        if (qNorm is null)
        {
            ropeForward[qkv.Type, heads.HeadDim]
                .Launch(
                    stream,
                    shape,
                    At(qkv),
                    At(at.FirstKey),
                    At(q),
                    At(kv),
                    ratio,
                    qkv.Rows,
                    at.Row,
                    heads.Heads,
                    heads.KvHeads,
                    heads.HeadDim
                );
            return;
        }

        forward[qkv.Type, heads.HeadDim]
            .Launch(
                stream,
                shape,
                At(qkv),
                At(at.FirstKey),
                At(qNorm),
                At(kNorm),
                At(q),
                At(kv),
                ratio,
                epsilon,
                qkv.Rows,
                at.Row,
                heads.Heads,
                heads.KvHeads,
                heads.HeadDim
            );
    }

    /// <inheritdoc cref="IKernels.QkNormRopeBackward"/>
    public void Backward(
        CudaStream stream,
        Tensor dq,
        Tensor dkv,
        Tensor? qkv,
        Tensor? qNorm,
        Tensor? kNorm,
        float epsilon,
        ChunkContext at,
        double theta,
        HeadShape heads,
        Tensor dqkv,
        Tensor? dqNorm,
        Tensor? dkNorm,
        bool accumulate,
        nuint partials
    )
    {
        double ratio = Log2Ratio(theta, heads);
        int rows = dqkv.Rows;
        if (qNorm is null)
        {
            ropeBackward[dqkv.Type, heads.HeadDim]
                .Launch(
                    stream,
                    Shape(rows, 68 * heads.HeadDim),
                    At(dq),
                    At(dkv),
                    At(at.FirstKey),
                    At(dqkv),
                    ratio,
                    rows,
                    at.Row,
                    heads.Heads,
                    heads.KvHeads,
                    heads.HeadDim
                );
            return;
        }

        int groups = KernelWorkspace.QkNormGroups(rows);
        nuint keyPartials = partials + (nuint)((long)groups * heads.HeadDim * sizeof(float));
        int lanes = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Up(heads.HeadDim / 2, PackOf(dqkv.Type)));
        var shape = Shape(rows, (68 * heads.HeadDim) + (1024 * heads.HeadDim / lanes));
        backward[dqkv.Type, heads.HeadDim]
            .Launch(
                stream,
                shape,
                At(dq),
                At(dkv),
                At(at.FirstKey),
                At(qkv),
                At(qNorm),
                At(kNorm),
                At(dqkv),
                At(partials),
                At(keyPartials),
                ratio,
                epsilon,
                rows,
                at.Row,
                heads.Heads,
                heads.KvHeads,
                heads.HeadDim
            );
        columnSum.Run(stream, partials, groups, dqNorm!.Value, accumulate);
        columnSum.Run(stream, keyPartials, groups, dkNorm!.Value, accumulate);
    }

    // Pair i turns by theta^(-2i / hd) a position, 2^(i ratio).
    private static double Log2Ratio(double theta, HeadShape heads) => -2 * Math.Log2(theta) / heads.HeadDim;

    private static LaunchShape Shape(int rows, int shared) => new(KernelWorkspace.QkNormGroups(rows), 256, shared);

    /// <summary>A kernel's variants by type, and by whether half a head is made of whole 16-byte accesses.</summary>
    private readonly struct Entry(KernelLibrary library, string name)
    {
        private readonly TypedFunction aligned = library.Typed("qk_norm_rope", name);
        private readonly CudaFunction unalignedFloat32 = library.Function("qk_norm_rope", name + "_f32_unaligned");
        private readonly CudaFunction unalignedBFloat16 = library.Function("qk_norm_rope", name + "_bf16_unaligned");

        public CudaFunction this[DType type, int headDim] =>
            headDim / 2 % PackOf(type) == 0 ? aligned[type] : type == DType.Float32 ? unalignedFloat32 : unalignedBFloat16;
    }
}
