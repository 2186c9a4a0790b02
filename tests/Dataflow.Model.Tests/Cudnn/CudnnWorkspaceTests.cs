namespace Dataflow.Model.Tests.Cudnn;

/// <summary>The formulas give what cuDNN 9.28.1 answered when it planned these shapes without a GPU (32 heads of 128, 8 of keys).</summary>
public class CudnnWorkspaceTests
{
    private static readonly CudnnAttention s_backward = new()
    {
        Pass = CudnnPass.Backward,
        Heads = 32,
        KvHeads = 8,
        HeadDim = 128,
        Queries = 4096,
        Keys = 4096,
    };

    [Theory]
    [InlineData(CudnnFamily.Hopper, 4096, 4096, 1140850944)]
    [InlineData(CudnnFamily.Hopper, 1024, 8192, 671088896)]
    [InlineData(CudnnFamily.Hopper, 8192, 131072, 70866960640)]
    [InlineData(CudnnFamily.Hopper, 1000, 5000, 417464576)]
    [InlineData(CudnnFamily.Hopper, 1, 4096, 83886336)]
    [InlineData(CudnnFamily.Hopper, 128, 4096, 100663552)]
    [InlineData(CudnnFamily.Ampere, 4096, 4096, 1140850816)]
    [InlineData(CudnnFamily.Ampere, 1024, 8192, 671088768)]
    [InlineData(CudnnFamily.Blackwell, 8192, 131072, 70866960512)]
    [InlineData(CudnnFamily.Blackwell, 1000, 5000, 413270144)]
    [InlineData(CudnnFamily.Blackwell, 1, 4096, 83886208)]
    [InlineData(CudnnFamily.Ampere, 128, 4096, 100663424)]
    public void Of_the_direct_backward(CudnnFamily family, int queries, int keys, long bytes) =>
        Assert.Equal(new Bytes(bytes), Plan(s_backward with { Queries = queries, Keys = keys }, CudnnForm.BackwardDirect, family));

    [Theory]
    [InlineData(64, 1107296512)]
    [InlineData(96, 1124073728)]
    [InlineData(192, 1174405376)]
    [InlineData(256, 1207959808)]
    public void Of_other_heads(int headDim, long bytes) =>
        Assert.Equal(
            new Bytes(bytes), Plan(s_backward with { HeadDim = headDim }, CudnnForm.BackwardDirect, CudnnFamily.Hopper));

    [Theory]
    [InlineData(32, 32, 1073742080)]
    [InlineData(4, 1, 142606592)]
    public void Of_groups(int heads, int kvHeads, long bytes) =>
        Assert.Equal(
            new Bytes(bytes), Plan(s_backward with { Heads = heads, KvHeads = kvHeads }, CudnnForm.BackwardDirect, CudnnFamily.Hopper));

    // 128, 512 and 2,048 MiB, and of one group 16, 64 and 256, each and some more.
    [Theory]
    [InlineData(4096, 4096, 32, 67125504)]
    [InlineData(1024, 8192, 32, (128 << 20) + 256 + (8 * 32 * 16))]
    [InlineData(1024, 8192, 4, (16 << 20) + 256 + (8 * 4 * 16))]
    [InlineData(2048, 32768, 32, (512 << 20) + 256 + (8 * 32 * 32))]
    [InlineData(2048, 32768, 4, (64 << 20) + 256 + (8 * 4 * 32))]
    [InlineData(8192, 131072, 32, (2048L << 20) + 256 + (8 * 32 * 128))]
    [InlineData(8192, 131072, 4, (256 << 20) + 256 + (8 * 4 * 128))]
    public void Of_the_ordered_backward(int queries, int keys, int heads, long bytes) =>
        Assert.Equal(
            new Bytes(bytes),
            Plan(s_backward with { Queries = queries, Keys = keys, Heads = heads, KvHeads = heads / 4 }, CudnnForm.BackwardOrdered,
                CudnnFamily.Hopper));

    [Fact]
    public void Of_sm100()
    {
        Assert.Equal(Bytes.Zero, Plan(s_backward with { KvHeads = 32 }, CudnnForm.BackwardDirect, CudnnFamily.DatacenterBlackwell));
        Assert.Equal(
            new Bytes((2L * 32 * 4096 * 256 * 2) + 128), Plan(s_backward, CudnnForm.BackwardDirect, CudnnFamily.DatacenterBlackwell));
    }

    [Theory]
    [InlineData(CudnnFamily.Hopper, 256, 17408)]
    [InlineData(CudnnFamily.DatacenterBlackwell, 0, 17408)]
    [InlineData(CudnnFamily.Blackwell, 0, 17280)]
    [InlineData(CudnnFamily.Ampere, 0, 0)]
    public void Of_the_forward(CudnnFamily family, long one, long packed)
    {
        var forward = s_backward with { Pass = CudnnPass.Forward };
        Assert.Equal(new Bytes(one), Plan(forward, CudnnForm.Forward, family));
        Assert.Equal(new Bytes(packed), Plan(forward with { Documents = 4 }, CudnnForm.Forward, family));
    }

    // 268,437,376 and 4,563,404,672 bytes were answered, and 16,384 for the order: the formula is a bound.
    [Fact]
    public void Of_packed_documents_it_is_a_bound()
    {
        var packed = s_backward with { Documents = 4 };
        Assert.InRange(
            Plan(packed, CudnnForm.BackwardOrdered, CudnnFamily.Hopper).Value - (4 * 16384), 268437376, 268437376 + 256);
        Assert.InRange(Plan(packed, CudnnForm.BackwardDirect, CudnnFamily.Hopper).Value, 4563404672, 4563404672 + 512);
    }

    [Fact]
    public void The_caller_keeps_row_sums_and_the_fp32_gradient_that_is_rounded()
    {
        const long rows = 4L * 32 * 4096;
        Assert.Equal(Bytes.Zero, CudnnWorkspace.Caller(s_backward, CudnnForm.Forward));
        Assert.Equal(new Bytes(rows), CudnnWorkspace.Caller(s_backward, CudnnForm.BackwardDirect));
        Assert.Equal(new Bytes(rows + (rows * 128)), CudnnWorkspace.Caller(s_backward, CudnnForm.BackwardOrdered));
        Assert.Equal(
            new Bytes(rows), CudnnWorkspace.Caller(s_backward with { GradQueryType = DType.Float32 }, CudnnForm.BackwardOrdered));
    }

    private static Bytes Plan(CudnnAttention call, CudnnForm form, CudnnFamily family) => CudnnWorkspace.Plan(call, form, family);
}
