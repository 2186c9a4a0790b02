using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Simulation.Tests;

/// <summary>What predictions of each machine rest on.</summary>
public class StandingTests
{
    private static readonly ModelConfig Wide = Model(128);
    private static readonly ModelConfig Narrow = Model(64);

    private static ModelConfig Model(int headDim) =>
        new()
        {
            Name = "m",
            VocabSize = 256,
            ModelDim = 256,
            HeadDim = headDim,
            HeadCount = 2,
            KvHeadCount = 2,
            FfnDim = 256,
            LayerCount = 1,
            RopeTheta = 1e4,
            RmsNormEps = 1e-5f,
        };

    [Theory]
    [InlineData("a100-80gb", StandingKind.Fitted)]
    [InlineData("h100-sxm", StandingKind.Fitted)]
    [InlineData("rtx3090", StandingKind.Fitted)]
    [InlineData("rtx5090", StandingKind.Fitted)]
    [InlineData("h200-sxm", StandingKind.Borrowed)]
    [InlineData("b200", StandingKind.Assumed)]
    [InlineData("rtx4090", StandingKind.Assumed)]
    [InlineData("cpu", StandingKind.Assumed)]
    public void A_shipped_profile_says_where_its_rates_come_from(string name, StandingKind kind)
    {
        var standing = Standing.Of(Checkout.Profile(name));
        Assert.Equal(kind, standing.Kind);
        Assert.Contains(name, standing.Text, StringComparison.Ordinal);
        Assert.Equal(kind == StandingKind.Borrowed, standing.Text.Contains("rates of h100-sxm", StringComparison.Ordinal));
    }

    [Fact]
    public void Measured_kernels_count_more_than_what_was_borrowed()
    {
        var rates = new KernelRates(DType.BFloat16, "made up", ImmutableSortedDictionary<Kernel, ImmutableArray<KernelRate>>.Empty);
        Assert.Equal(StandingKind.Measured, Standing.Of(Checkout.Profile("h200-sxm") with { Kernels = rates }).Kind);
    }

    [Fact]
    public void Heads_of_a_width_that_no_run_had_are_said()
    {
        const string inferred = "no run had heads of 64, whose attention is inferred from heads of 128";
        Assert.EndsWith(inferred, Standing.Of(Checkout.Profile("a100-80gb"), Narrow).Text, StringComparison.Ordinal);
        Assert.DoesNotContain("inferred", Standing.Of(Checkout.Profile("a100-80gb"), Wide).Text, StringComparison.Ordinal);
        Assert.DoesNotContain("inferred", Standing.Of(Checkout.Profile("h100-sxm"), Narrow).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("h100-sxm", true)]
    [InlineData("h200-sxm", true)]
    [InlineData("rtx4090", false)] // all of its rates are
    [InlineData("cpu", false)]
    public void Recurrences_that_no_gpu_ran_are_said(string machine, bool said)
    {
        const string assumed = "; what recurrences of layers with states reach is assumed";
        var profile = Checkout.Profile(machine);
        var states = Wide with { Pattern = new LayerPattern(new LayerKind(256) { Recurrence = new Recurrence(1, 1, 8, 8, 4) }) };
        Assert.Equal(said, Standing.Of(profile, states).Text.EndsWith(assumed, StringComparison.Ordinal));
        Assert.DoesNotContain("recurrences", Standing.Of(profile, Wide).Text, StringComparison.Ordinal);
        var rates = ImmutableSortedDictionary<Kernel, ImmutableArray<KernelRate>>.Empty
            .Add(Kernel.LinearRecurrenceForward, [new KernelRate(1, 1, 1, 1, 1)]);
        var measured = profile with { Kernels = new KernelRates(DType.BFloat16, "made up", rates) };
        Assert.DoesNotContain("recurrences", Standing.Of(measured, states).Text, StringComparison.Ordinal);
    }
}
