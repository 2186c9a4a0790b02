namespace Dataflow.Model.Tests.Cudnn;

/// <summary>What cuDNN is given by release and GPU, in how many calls, and why our own kernels compute the rest.</summary>
public class CudnnRulesTests
{
    private static readonly CudnnAttention s_forward = new()
    {
        Pass = CudnnPass.Forward,
        Heads = 32,
        KvHeads = 8,
        HeadDim = 128,
        Queries = 1024,
        Keys = 8192,
    };

    private static readonly CudnnAttention s_backward = s_forward with { Pass = CudnnPass.Backward };

    [Theory]
    [InlineData("9.28.1", 8, 0, CudnnForm.BackwardDirect, null, null)]
    [InlineData("9.28.1", 8, 9, CudnnForm.BackwardDirect, null, null)]
    [InlineData("9.25.0", 9, 0, CudnnForm.BackwardOrdered, 6, 4L)]
    [InlineData("9.24.1", 9, 0, CudnnForm.BackwardDirect, null, null)]
    [InlineData("9.10.2", 9, 0, CudnnForm.BackwardDirect, null, null)]
    [InlineData("9.23.0", 10, 0, CudnnForm.BackwardDirect, 5, 2L)]
    [InlineData("9.28.1", 10, 3, CudnnForm.BackwardDirect, 5, 2L)]
    [InlineData("9.28.1", 12, 0, CudnnForm.BackwardDirect, null, null)]
    public void The_backward_is_the_repeatable_one_of_release_and_GPU(
        string release, int major, int minor, CudnnForm form, int? engine, long? stages)
    {
        var offered = Offered(s_backward, release, major, minor);
        Assert.Equal(form, offered.Form);
        Assert.Equal(engine, offered.Engine?.Index);
        Assert.Equal(stages, offered.Engine?.Knobs.Single(k => k.Type == 14).Value);
    }

    [Fact]
    public void Heads_of_256_take_three_stages_on_sm100() =>
        Assert.Equal(3, Offered(s_backward with { HeadDim = 256 }, "9.28.1", 10, 0).Engine!.Knobs.Single(k => k.Type == 14).Value);

    // A group has 80 MiB of the 640: four groups of two heads each; with the order all eight stay within half a GiB.
    [Theory]
    [InlineData("9.24.1", 1024, 8192, 2, 4)]
    [InlineData("9.28.1", 1024, 8192, 1, 8)]
    [InlineData("9.28.1", 2048, 32768, 2, 4)]
    [InlineData("9.28.1", 8192, 131072, 8, 1)]
    [InlineData("9.28.1", 8192, 200000, 8, 1)]
    public void Calls_are_for_as_many_heads_of_keys_as_half_a_GiB_holds(string release, int queries, int keys, int calls, int kvHeads)
    {
        var offered = Offered(s_backward with { Queries = queries, Keys = keys }, release, 9, 0);
        Assert.Equal((calls, kvHeads, 4 * kvHeads), (offered.Calls, offered.Call.KvHeads, offered.Call.Heads));
        Assert.Equal((32L * 128, 2L * 8 * 128), (offered.Call.QueryRowElements, offered.Call.KeyRowElements));
        Assert.True(offered.Workspace <= CudnnWorkspace.Most);
        Assert.Equal(CudnnWorkspace.Plan(offered.Call, offered.Form, CudnnFamily.Hopper), offered.Workspace);
    }

    [Theory]
    [InlineData("8.9.7", 9, 0, "is not one of the releases 9")]
    [InlineData("9.10.1", 9, 0, "is older than 9.10.2")]
    [InlineData("9.28.1", 7, 5, "compute capability 7.5")]
    [InlineData("9.28.1", 11, 0, "compute capability 11.0")]
    [InlineData("9.22.0", 10, 0, "was not tried for a repeatable backward of this form on sm100")]
    public void Releases_and_GPUs_that_were_not_tried_are_refused(string release, int major, int minor, string reason) =>
        Refused(s_backward, release, major, minor, reason);

    [Fact]
    public void What_cuDNN_computes_nowhere_is_refused()
    {
        Refused(s_forward with { Type = DType.Float32 }, reason: "takes bf16, and this is fp32");
        Refused(s_forward with { HeadDim = 32 }, reason: "heads of 64 to 256 elements in steps of 8, and these have 32");
        Refused(s_forward with { HeadDim = 100 }, reason: "these have 100");
        Refused(s_forward with { HeadDim = 264 }, reason: "these have 264");
        Refused(s_forward with { KvHeads = 5 }, reason: "32 query heads are no multiple of 5");
        Refused(s_forward with { QueryRow = 4100 }, reason: "do not start on 16 bytes");
        Refused(s_forward with { QueryRow = 4088 }, reason: "shorter than their heads");
        Refused(s_forward with { Queries = 8193 }, reason: "8193 queries of 8192 keys");
        Refused(s_forward with { Keys = (1 << 24) + 1 }, reason: "masks of cuDNN's attention count");
        Refused(s_forward with { Window = 8, Causal = false }, reason: "a window without a causal mask");
        Refused(s_forward with { Window = 0 }, reason: "a window of 0 keys");
        Refused(s_forward with { Softcap = 0 }, reason: "a softcap must be above 0");
        Refused(s_forward with { Documents = 0 }, reason: "no documents");
        Refused(s_forward with { Keys = 0, Causal = false }, reason: "no keys");
        Refused(s_backward with { Queries = 1, Keys = 1 }, reason: "one query of one key");
        Refused(s_backward with { Causal = false, Keys = 8256 }, reason: "may give NaN");
        Refused(s_backward with { Causal = false, Queries = 1 }, reason: "may give NaN");
    }

    [Fact]
    public void What_one_release_computes_wrongly_or_not_at_all_is_refused_there_and_offered_later()
    {
        Gate(s_forward with { Sink = true }, 9, 0, "9.13.0", "9.13.1", "no attention sinks");
        Gate(s_forward with { Window = 512 }, 9, 0, "9.14.0", "9.14.1", "windows over more than 1024 keys");
        Gate(s_forward with { Documents = 4 }, 8, 0, "9.18.0", "9.18.1", "no packed documents for sm80");
        Gate(s_forward with { Documents = 4 }, 12, 0, "9.18.0", "9.18.1", "no packed documents for sm120");
        Gate(s_backward with { Keys = 8192 + 64 }, 9, 0, "9.15.0", "9.15.1", "whole blocks of 128");
        Gate(s_backward with { Documents = 4, Keys = 1024 }, 9, 0, "9.17.1", "9.18.0", "leaves memory unset");
        Gate(s_backward with { Documents = 4, Sink = true, Keys = 1024 }, 9, 0, "9.25.1", "9.26.0", "sinks with packed documents");
        Gate(s_backward with { HeadDim = 192 }, 9, 0, "9.12.0", "9.13.0", "heads of 192");
        Gate(s_backward with { GradQueryType = DType.Float32 }, 9, 0, "9.24.1", "9.25.0", "added up in fp32");
    }

    [Theory]
    [InlineData(8, 0)]
    [InlineData(12, 0)]
    public void Backward_kernels_without_softcaps_documents_or_wide_heads_are_refused_those(int major, int minor)
    {
        Refused(s_backward with { Softcap = 50 }, "9.28.1", major, minor, "no backward with a softcap");
        Refused(s_backward with { Documents = 4 }, "9.28.1", major, minor, "no repeatable backward with packed documents");
        Refused(s_backward with { HeadDim = 136 }, "9.28.1", major, minor, "up to 128 elements, and these have 136");
        Assert.Equal(1, Offered(s_forward with { Softcap = 50, HeadDim = 256, Documents = 4 }, "9.28.1", major, minor).Calls);
    }

    [Fact]
    public void A_backward_whose_workspace_is_too_large_for_one_head_of_keys_is_refused()
    {
        Refused(
            s_backward with { Queries = 8192, Keys = 131072 }, "9.24.1", 9, 0,
            "8192 queries and 131072 keys takes 8858370304 bytes of workspace for each head of keys and values, above the 536870912");
        Refused(s_backward with { HeadDim = 192 }, "9.28.1", 10, 0, "up to 128 elements, or of 256, and these have 192");
    }

    [Fact]
    public void The_librarys_number_is_its_release() => Assert.Equal(new Version(9, 28, 1), CudnnTarget.ReleaseOf(92801));

    private static void Gate(CudnnAttention asked, int major, int minor, string refusing, string offering, string reason)
    {
        Refused(asked, refusing, major, minor, reason);
        _ = Offered(asked, offering, major, minor);
    }

    private static CudnnAnswer.Offered Offered(CudnnAttention asked, string release, int major, int minor) =>
        Assert.IsType<CudnnAnswer.Offered>(CudnnRules.Answer(asked, new(new Version(release), new(major, minor))));

    private static void Refused(CudnnAttention asked, string release = "9.28.1", int major = 9, int minor = 0, string reason = "")
    {
        string said = Assert.IsType<CudnnAnswer.Refused>(CudnnRules.Answer(asked, new(new Version(release), new(major, minor)))).Reason;
        Assert.False(said.EndsWith('.'));
        Assert.Contains(reason, said, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', said);
    }
}
