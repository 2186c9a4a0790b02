using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Tests;

/// <summary>Who computes attention of a plan: what was asked for, else who is faster by the profile, whatever else is asked.</summary>
public sealed class AttentionChoiceTests : IDisposable
{
    private static readonly HardwareProfile s_h200 = HardwareFiles.Load("h200-sxm");
    private readonly TinyRun run = new();

    [Fact]
    public void The_profile_decides_where_nothing_was_asked_for()
    {
        var plan = Plan(Options(s_h200));
        Assert.Null(plan.Workload.Geometry.Cudnn);
        Assert.Equal(plan.Hash, Plan(Options(s_h200) with { Attention = AttentionProvider.Own }).Hash);

        // A rate that is not reached by our own, and one that is.
        Assert.Equal(plan.Hash, Plan(Options(Measured(1e12))).Hash);
        var fast = Plan(Options(Measured(900e12)));
        Assert.Equal(new CudnnTarget(new Version(9, 20, 0), new ComputeCapability(9, 0)), fast.Workload.Geometry.Cudnn);
        Assert.Equal(plan.Hash, Plan(Options(Measured(900e12)) with { Attention = AttentionProvider.Own }).Hash);
        Assert.Equal(fast.Hash, Plan(Options(Measured(1e12)) with { Attention = AttentionProvider.Cudnn }).Hash);

        // Another release has other results, and another hash; without one in the profile it is the newest that is known.
        var newest = Plan(Options(s_h200) with { Attention = AttentionProvider.Cudnn });
        Assert.Equal(CudnnTarget.Newest, newest.Workload.Geometry.Cudnn!.Value.Library);
        Assert.Equal(3, new[] { plan.Hash, fast.Hash, newest.Hash }.Distinct().Count());
    }

    /// <summary>What it is not for is our own kernels', without a word where it was not asked for.</summary>
    [Theory]
    [InlineData("1b", "fp32")]
    [InlineData("nano", "bf16")]
    public void What_cuDNN_is_not_for_leaves_the_choice_alone(string model, string dtype)
    {
        PlanOptions Of(HardwareProfile machine) => Options(machine) with { Model = model, Dtype = Values.RecipeNamed(dtype) };
        Assert.Equal(Plan(Of(s_h200)).Hash, Plan(Of(Measured(900e12))).Hash);
    }

    [Fact]
    public void Rows_of_several_documents_are_our_own_kernels()
    {
        string folder = Path.Combine(Locations.Root!, "tests", "golden", "llama-documents");
        string alone = run.PathOf("tokens.bin");
        File.Copy(Path.Combine(folder, "tokens.bin"), alone);
        var options = Options(Measured(900e12)) with { Seqlen = 128, GlobalBatch = null };
        Geometry Of(string tokens) => Assert.IsType<PlanResult.Feasible>(
            Plans.Make(Plans.Ask(options, new DataChoice([], tokens, new CorpusOptions())).Question)).Plan.Workload.Geometry;
        Assert.Null(Of(Path.Combine(folder, "tokens.bin")).Cudnn);
        Assert.NotNull(Of(alone).Cudnn);
        options = options with { Attention = AttentionProvider.Cudnn };
        var refused = Assert.Throws<UserErrorException>(() => Of(Path.Combine(folder, "tokens.bin")));
        Assert.Contains("rows of this data hold several: leave it out", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>A run on this CPU is by our own kernels, although the machine that it is planned for has a faster cuDNN.</summary>
    [Fact]
    public void A_run_on_a_CPU_has_none()
    {
        var options = run.Options(steps: 1);
        options = options with
        {
            Plan = options.Plan with
            {
                Dtype = Recipe.Bf16,
                Model = Wide(),
                Hardware = Measured(900e12),
                DeviceMemory = Values.Size("2GiB"),
                Policy = PlanPolicy.Simple,
            },
        };
        Assert.NotNull(Plan(options.Plan).Workload.Geometry.Cudnn);
        Assert.Single(TinyRun.Losses(options));
        var refused = Assert.Throws<UserErrorException>(() =>
            TinyRun.Losses(options with { Plan = options.Plan with { Attention = AttentionProvider.Cudnn } }));
        Assert.Contains("which CPUs do not have: plan with --attention own", refused.Message, StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public void Dispose() => run.Dispose();

    private static HardwareProfile Measured(double rate)
    {
        var figure = new Figure(rate, FigureKind.Measured, "a test");
        return s_h200 with { Cudnn = new CudnnRates(new Version(9, 20, 0), figure, figure) };
    }

    private static PlanOptions Options(HardwareProfile machine) => new()
    {
        Model = "1b",
        Seqlen = 4096,
        GlobalBatch = 16384,
        Dtype = Recipe.Bf16,
        DeviceMemory = Values.Size("40GiB"),
        HostMemory = Values.Size("100GiB"),
        Hardware = machine,
        Device = DeviceOptions.Cpu,
        NoCache = true,
        Policy = PlanPolicy.Simple,
    };

    private static TrainingPlan Plan(PlanOptions options) => Assert.IsType<PlanResult.Feasible>(Plans.Make(options)).Plan;

    private string Wide()
    {
        string nano = File.ReadAllText(ModelSource.Locate("nano")!);
        File.WriteAllText(run.PathOf("wide.json"), nano.Replace("\"head_dim\": 32", "\"head_dim\": 64", StringComparison.Ordinal));
        return run.PathOf("wide.json");
    }
}
