using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed unsafe class AllocationTests : KernelTest
{
    /// <summary>One thread: then every job runs on the thread that is measured.</summary>
    [Fact]
    public void No_kernel_allocates()
    {
        const int T = 40;
        ThreadTeam team = Team(1);
        Tensor x = New(T, 64).Random(1);
        Tensor y = New(T, 64, DType.BFloat16).Random(2);
        Tensor wide = New(T, 128).Random(3);
        Tensor w = New(64, 64).Random(4);
        Tensor row = New(1, 64).Random(5);
        Tensor dRow = New(1, 64);
        Tensor head = New(1, 16).Random(6);
        Tensor dHead = New(1, 16);
        Tensor floats = New(4, T);
        Tensor q = New(T, 32);
        Tensor kv = New(T, 32);
        int* zeros = Table(new int[T]);
        int* order = Table([.. Enumerable.Range(0, T)]);
        Matrix joint = x.M;

        void All()
        {
            Gemm.Run(team, x.M, Transpose.No, w.M, Transpose.Yes, y.M, y.M);
            RmsNorm.Forward(team, x.M, row.M, 1e-5f, y.M, floats.Floats);
            RmsNorm.Backward(team, y.M, x.M, floats.Floats, row.M, y.M, y.M, dRow.M, accumulateDw: true);
            SwiGlu.Forward(team, wide.M, y.M);
            SwiGlu.Backward(team, y.M, wide.M);
            QkNormRope.Forward(team, joint, head.M, head.M, 1e-5f, zeros, 0, 1e4, 2, 1, 16, q.M, kv.M);
            Attention.Forward(team, q.M, new KeyRows(kv.M, 0, T), zeros, 0, 2, 1, 16, q.M, floats.Floats);
            Attention.Backward(
                team,
                q.M,
                new KeyRows(kv.M, 0, T),
                zeros,
                0,
                2,
                1,
                16,
                q.M,
                floats.Floats,
                q.M,
                q.M,
                kv.M,
                accumulate: true
            );
            Attention.ForwardSegment(
                team,
                q.M,
                new KeyRows(kv.M, 0, T),
                zeros,
                0,
                2,
                1,
                16,
                q.M,
                floats.Floats,
                floats.Floats,
                continued: true
            );
            Attention.Normalize(team, q.M, floats.Floats, floats.Floats, 2, 16, q.M, floats.Floats);
            Attention.BackwardSegment(
                team,
                q.M,
                new KeyRows(kv.M, 0, T),
                zeros,
                0,
                2,
                1,
                16,
                q.M,
                floats.Floats,
                q.M,
                q.M,
                continued: true,
                kv.M,
                accumulate: true
            );
            Fill.Round(team, q.M, q.M);
            QkNormRope.Backward(
                team,
                q.M,
                kv.M,
                joint,
                head.M,
                head.M,
                1e-5f,
                zeros,
                0,
                1e4,
                2,
                1,
                16,
                joint,
                dHead.M,
                dHead.M,
                accumulateNorms: true
            );
            CrossEntropy.Run(team, x.M, zeros, 1f, x.M, floats.Floats, accumulateLoss: true);
            CrossEntropy.Statistics(team, x.M, zeros, 0, floats.Floats, T, fold: true);
            CrossEntropy.Loss(team, zeros, T, floats.Floats, T, head.Floats);
            CrossEntropy.Gradient(team, x.M, zeros, 0, floats.Floats, T, 1f, x.M);
            Embedding.ForwardBlock(team, zeros, w.M, 0, x.M, zeroOthers: true);
            Embedding.BackwardBlock(team, zeros, order, T, 0, x.M, w.M);
            Embedding.Forward(team, zeros, w.M, x.M);
            Embedding.Backward(team, zeros, order, T, x.M, w.M);
            AdamW.Run(
                team,
                AdamWSettings.Default,
                1,
                true,
                x.M.Data,
                DType.Float32,
                wide.M.Data,
                DType.Float32,
                y.M.Data,
                y.M.Data,
                DType.BFloat16,
                T * 64
            );
            Fill.Zero(team, y.M.Data, T * 64);
            Fill.Copy(team, x.M.Data, wide.M.Data, T * 64);
        }

        All();
        long before = GC.GetAllocatedBytesForCurrentThread();
        All();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
