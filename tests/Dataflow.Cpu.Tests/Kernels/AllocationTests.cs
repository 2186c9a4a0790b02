using System.Runtime.InteropServices;
using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

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
        HeadShape heads = new(2, 1, 16);
        var rotary = RotaryTable.Plain(1e4, 16);
        ChunkContext at = new((nuint)zeros, 0);
        WindowRows keys = new(kv.T, 0, T);
        var normForward = new RmsNormForwardArguments
        {
            X = x.T,
            Weight = row.T,
            WeightOffset = 1,
            Addend = x.T,
            Epsilon = 1e-5f,
            Y = y.T,
            Rstd = floats.Address,
        };
        var normBackward = new RmsNormBackwardArguments
        {
            GradY = y.T,
            X = x.T,
            Rstd = floats.Address,
            Weight = row.T,
            WeightOffset = 1,
            GradX = y.T,
            Addend = y.T,
            GradWeight = dRow.T,
            Accumulate = true,
            Workspace = 0,
        };
        var layerForward = new LayerNormForwardArguments
        {
            X = x.T,
            Weight = row.T,
            WeightOffset = 1,
            Bias = row.T,
            Addend = x.T,
            Epsilon = 1e-5f,
            Y = y.T,
            Statistics = floats.Address,
        };
        var layerBackward = new LayerNormBackwardArguments
        {
            GradY = y.T,
            X = x.T,
            Statistics = floats.Address,
            Weight = row.T,
            WeightOffset = 1,
            GradX = y.T,
            Addend = y.T,
            GradWeight = dRow.T,
            AccumulateWeight = true,
            GradBias = dRow.T,
            AccumulateBias = true,
            Workspace = 0,
        };
        var ropeForward = new QkNormRopeForwardArguments
        {
            Qkv = x.T,
            QueryNorm = head.T,
            KeyNorm = head.T,
            Epsilon = 1e-5f,
            At = at,
            Rotary = rotary,
            Heads = heads,
            Query = q.T,
            KeyValue = kv.T,
        };
        var ropeBackward = new QkNormRopeBackwardArguments
        {
            GradQuery = q.T,
            GradKeyValue = kv.T,
            Qkv = x.T,
            QueryNorm = head.T,
            KeyNorm = head.T,
            Epsilon = 1e-5f,
            At = at,
            Rotary = rotary,
            Heads = heads,
            GradQkv = x.T,
            GradQueryNorm = dHead.T,
            GradKeyNorm = dHead.T,
            Accumulate = true,
            Workspace = 0,
        };
        var attentionForward = new AttentionForwardArguments
        {
            Query = q.T,
            Keys = keys,
            At = at,
            Heads = heads,
            Output = q.T,
            Lse = floats.Address,
        };
        var attentionBackward = new AttentionBackwardArguments
        {
            Query = q.T,
            Keys = keys,
            At = at,
            Heads = heads,
            Output = q.T,
            Lse = floats.Address,
            GradOutput = q.T,
            GradQuery = q.T,
            GradKeyValue = kv.T,
            Accumulate = true,
            Workspace = q.Address,
        };
        var segmentForward = new AttentionSegmentForwardArguments
        {
            Query = q.T,
            Keys = keys,
            At = at,
            Heads = heads,
            Sums = q.Address,
            Maxima = floats.Address,
            Totals = floats.Address,
            Continues = true,
        };
        var normalize = new AttentionNormalizeArguments
        {
            Sums = q.Address,
            Maxima = floats.Address,
            Totals = floats.Address,
            Heads = heads,
            Output = q.T,
            Lse = floats.Address,
        };
        var update = new UpdateArguments
        {
            Range = new UpdateRange(x.Address, wide.Address, y.Address, 0, 0, 0, 0, T * 64),
            Optimizer = Optimizer.AdamW,
            Recipe = new Recipe("test", DType.Float32, DType.Float32, DType.BFloat16, DType.Float32),
            Scale = UpdateScale.One,
            Norms = 0,
            NormCount = 0,
        };
        var eightBit = new AdamW8BitArguments
        {
            Weights = x.Address,
            Gradient = wide.Address,
            FirstCodes = y.Address,
            FirstScales = floats.Address,
            SecondCodes = y.Address + (T * 64),
            SecondScales = floats.Address + (4 * T),
            Master = 0,
            Object = 0,
            FirstElement = 0,
            Count = T * 64,
            Recipe = Recipe.Fp32,
            Norms = 0,
            NormCount = 0,
            Scale = UpdateScale.One,
        };
        DequantizeArguments dequantize = new() { Stored = New(16, 64, DType.BFloat16).T, Dense = New(16, 64).T };
        byte[] groups = GC.AllocateArray<byte>((int)DType.Int8.SizeOf(16 * 64).Value, pinned: true);
        Runtime.Tensor int8 = new((nuint)Marshal.UnsafeAddrOfPinnedArrayElement(groups, 0), DType.Int8, 16, 64);
        DequantizeArguments ofInt8 = new() { Stored = int8, Dense = New(16, 64).T };
        StepArguments step = new(1, Optimizer.AdamW.Defaults, 1);
        var muon = new MuonUpdate
        {
            Range = new UpdateRange(x.Address, wide.Address, q.Address, 0, 0, 0, 0, 32 * T),
            Matrix = new MuonMatrix(T, 32, false),
            Recipe = Recipe.Fp32,
            Scratch = Scratch(new MuonScratch(new MuonMatrix(T, 32, false), DType.Float32).Length),
            Norms = 0,
            NormCount = 0,
            Iteration = NewtonSchulz.Muon,
            Adjustment = MuonAdjustment.Original,
        };
        KernelStream stream = new(new CpuKernels(team) { Arguments = step });

        void All()
        {
            Gemm.Run(team, x.M, Transpose.No, w.M, Transpose.Yes, y.M, y.M, row.M);
            Gemm.Run(team, x.M.RowRange(0, 1), Transpose.No, w.M, Transpose.Yes, y.M.RowRange(0, 1), null);
            Gemm.Run(team, x.M.RowRange(0, 9), Transpose.No, w.M, Transpose.Yes, y.M.RowRange(0, 9), null);
            ColumnSum.Run(team, x.M, dRow.M, accumulate: true);
            Dequantize.Run(team, dequantize);
            Dequantize.Run(team, ofInt8);
            RmsNorm.Forward(team, normForward);
            RmsNorm.Backward(team, normBackward);
            LayerNorm.Forward(team, layerForward);
            LayerNorm.Backward(team, layerBackward);
            GatedActivation.Forward(team, Activation.Silu, wide.M, y.M);
            GatedActivation.Backward(team, Activation.Silu, y.M, wide.M);
            UngatedActivation.Forward(team, Activation.Gelu, x.M, y.M);
            UngatedActivation.Backward(team, Activation.Gelu, y.M, x.M);
            QkNormRope.Forward(team, ropeForward);
            Attention.Forward(team, attentionForward);
            Attention.Backward(team, attentionBackward);
            Attention.ForwardSegment(team, segmentForward);
            Attention.Normalize(team, normalize);
            Attention.BackwardSegment(team, attentionBackward.AsSegment with { Continues = true });
            Fill.Round(team, q.M, q.M);
            QkNormRope.Backward(team, ropeBackward);
            CrossEntropy.Run(team, x.M, LogitMap.Identity, zeros, 1f, x.M, floats.Floats, accumulateLoss: true);
            CrossEntropy.Run(team, x.M, new(2f, 30f), zeros, 1f, x.M, floats.Floats, accumulateLoss: true);
            CrossEntropy.Statistics(team, x.M, LogitMap.Identity, zeros, 0, new(floats.Floats, T), fold: true);
            CrossEntropy.Loss(team, zeros, T, new(floats.Floats, T), head.Floats);
            CrossEntropy.Gradient(team, x.M, LogitMap.Identity, zeros, 0, new(floats.Floats, T), 1f, x.M);
            Embedding.ForwardBlock(team, zeros, w.M, 0, x.M, zeroOthers: true);
            Embedding.BackwardBlock(team, zeros, order, T, 0, x.M, w.M);
            Embedding.Forward(team, zeros, w.M, x.M);
            Embedding.Backward(team, zeros, order, T, x.M, w.M);
            Update.Run(team, update, step);
            AdamW8Bit.Run(team, eightBit, step);
            muon.Run(stream);
            Fill.Zero(team, y.M.Data, T * 64);
            Fill.Copy(team, x.M.Data, wide.M.Data, T * 64);
        }

        All();
        long before = GC.GetAllocatedBytesForCurrentThread();
        All();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    /// <summary>On a multiple of 256 bytes, as tensors lie.</summary>
    private nuint Scratch(Bytes length)
    {
        nuint start = New(1, (int)(length + new Bytes(Bytes.Alignment)).Value / sizeof(float)).Address;
        return (start + (nuint)Bytes.Alignment - 1) / (nuint)Bytes.Alignment * (nuint)Bytes.Alignment;
    }
}
