using Dataflow.Model;

namespace Dataflow.Cuda.Emulated.Tests.Cudnn;

/// <summary>
/// The graphs that cuDNN is given, executed as they stand by the emulated one, against the definition in float64: masks, heads that share
/// keys, windows, softcaps, sinks, packed documents, in all three forms.
/// </summary>
public sealed class GraphExecutionTests
{
    // Shares and gradients of scores are rounded to bf16 on the way.
    private const double Bound = 1.2e-2;

    private static readonly CudnnTarget s_ordered = new(new Version(9, 28, 1), new(9, 0));
    private static readonly CudnnTarget s_direct = new(new Version(9, 24, 1), new(9, 0));

    private static CudnnAttention Chunk { get; } =
        new()
        {
            Pass = CudnnPass.Forward,
            Heads = 4,
            KvHeads = 2,
            HeadDim = 64,
            Queries = 24,
            Keys = 40,
        };

    private static CudnnAttention Packed { get; } = Chunk with { Documents = 3, Queries = 16, Keys = 24 };

    /// <summary>Attentions, and whether the gradient of queries is the direct one.</summary>
    public static TheoryData<string, bool> Cases
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (var (name, asked) in Named)
            {
                data.Add(name, false);
                if (asked is not { Sink: true, Documents: not null })
                {
                    data.Add(name, true); // both at once came with 9.26, which has the ordered form
                }
            }

            return data;
        }
    }

    private static Dictionary<string, CudnnAttention> Named { get; } =
        new()
        {
            ["causal"] = Chunk,
            ["all keys"] = Chunk with { Causal = false, Keys = 128 },
            ["own heads"] = Chunk with { KvHeads = 4 },
            ["one head of keys"] = Chunk with { KvHeads = 1 },
            ["sequences"] = Chunk with { Sequences = 3, Keys = 24 },
            ["wide"] = Chunk with { HeadDim = 96 },
            ["window"] = Chunk with { Window = 9 },
            ["softcap"] = Chunk with { Softcap = 0.7 },
            ["scale"] = Chunk with { Scale = 0.3, Window = 9, Softcap = 0.9 },
            ["sink"] = Chunk with { Sink = true },
            ["all of it"] = Chunk with { Window = 7, Softcap = 0.7, Sink = true },
            ["documents"] = Packed,
            ["documents of all keys"] = Packed with { Causal = false },
            ["documents with all of it"] = Packed with { Window = 7, Softcap = 0.7, Sink = true },
        };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Graphs_give_what_the_definition_gives(string name, bool direct)
    {
        var asked = Named[name];
        using var release = new EmulatedRelease(direct ? s_direct : s_ordered);
        using var run = new GraphRun(asked, release.Target, Parts(asked));
        Assert.InRange(run.Error(), 0, Bound);
    }

    /// <summary>Sums in the order in which they arrive differ from run to run; the engine that is asked for waits.</summary>
    [Fact]
    public void An_ordered_gradient_of_queries_has_the_same_bits_in_any_order()
    {
        using var release = new EmulatedRelease(s_ordered);
        var asked = Chunk with { Queries = 32, Keys = 512, Pass = CudnnPass.Backward, GradQueryType = DType.Float32 };
        Assert.NotNull(Assert.IsType<CudnnAnswer.Offered>(CudnnRules.Answer(asked, release.Target)).Engine);
        Assert.Single(Bits(asked, release.Target, keepsEngine: true).Distinct());
        Assert.True(Bits(asked, release.Target, keepsEngine: false).Distinct().Count() > 1);
    }

    [Fact]
    public void A_workspace_larger_than_the_formula_says_is_a_sentence()
    {
        using var release = new EmulatedRelease(s_ordered);
        CudaEmulation.Set("cudnn_workspace", 512);
        try
        {
            using var run = new GraphRun(Chunk, release.Target, Parts(Chunk));
            var refused = Assert.Throws<CudaException>(() => run.Error());
            Assert.Matches(
                @"^cuDNN 9\.28\.1 asks for 768 bytes of workspace for sm90 cudnn .*, and by its formula the plan has 256; "
                    + "plan with --attention own$",
                refused.Message
            );
        }
        finally
        {
            CudaEmulation.Set("cudnn_workspace", 0);
        }
    }

    private static IEnumerable<string> Bits(CudnnAttention asked, CudnnTarget target, bool keepsEngine)
    {
        for (ulong seed = 1; seed <= 4; seed++)
        {
            CudaEmulation.Seed(seed);
            using var run = new GraphRun(asked with { Pass = CudnnPass.Forward }, target, new Part(0, asked.Queries, 0, asked.Keys));
            yield return run.WideGradient(keepsEngine);
        }
    }

    internal static Part[] Parts(CudnnAttention asked) =>
        asked.Documents is null
            ? [.. Enumerable.Range(0, asked.Sequences).Select(s => new Part(s * asked.Queries, asked.Queries, s * asked.Keys, asked.Keys))]
            : [new(0, 16, 0, 24), new(16, 5, 24, 5), new(21, 9, 29, 20)];
}
