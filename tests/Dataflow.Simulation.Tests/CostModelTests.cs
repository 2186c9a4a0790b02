using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Simulation.Tests;

/// <summary>Durations from a profile: few constants, ceilings respected, curves monotone.</summary>
public class CostModelTests
{
    private static readonly CostModel H100 = new(Checkout.Profile("h100-sxm"), DType.BFloat16);

    public static TheoryData<string> Machines => new(Checkout.ProfileNames);

    [Theory, MemberData(nameof(Machines))]
    public void A_machine_has_six_efficiency_constants_at_most_all_of_them_known(string name)
    {
        var profile = Checkout.Profile(name);
        Assert.InRange(profile.Efficiency.Count, 0, 6);
        Assert.Equal(6, EfficiencyConstants.Most);
        Assert.Equal(EfficiencyConstants.Most, EfficiencyConstants.Names.Length);
        Assert.All(EfficiencyConstants.Of(profile).Values, v => Assert.InRange(v, 0.05, 2));
    }

    [Fact]
    public void CuDNN_is_preferred_where_it_was_measured_faster_and_its_text_reads_back()
    {
        var profile = Checkout.Profile("h200-sxm");
        Assert.False(new CostModel(profile, DType.BFloat16).PrefersCudnn(4096, 4096, 128));
        foreach (var (rate, wanted) in new[] { (900e12, true), (1e12, false) })
        {
            var figure = new Figure(rate, FigureKind.Measured, "a test");
            var measured = profile with { Cudnn = new CudnnRates(new Version(9, 28, 1), figure, figure) };
            Assert.Equal(wanted, new CostModel(measured, DType.BFloat16).PrefersCudnn(4096, 4096, 128));
            Assert.Equal(measured.Cudnn, HardwareProfileReader.Parse(HardwareProfileWriter.Write(measured), "a test").Cudnn);
        }
    }

    [Fact]
    public void A_constant_that_does_not_exist_is_refused()
    {
        var profile = Checkout.Profile("h100-sxm");
        profile = profile with
        {
            Efficiency = ImmutableSortedDictionary<string, Figure>.Empty.Add("gem", new Figure(1, FigureKind.Estimate, "a slip")),
        };
        Assert.Contains(
            "efficiency.gem,",
            Assert.Throws<UserErrorException>(() => new CostModel(profile, DType.BFloat16)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory, MemberData(nameof(Machines))]
    public void No_kernel_is_faster_than_its_ceiling(string name)
    {
        var profile = Checkout.Profile(name);
        var machine = new CostModel(profile, profile.Kind == HardwareKind.Cpu ? DType.Float32 : DType.BFloat16);
        KernelWork[] works =
        [
            KernelWork.Gemm(16384, 4096, 4096, 2e8), KernelWork.Gemm(128, 128, 128, 1e5), KernelWork.Memory(1e9),
            KernelWork.Attention(true, 1e9, 16384, 4096, 128), KernelWork.Attention(false, 1e9, 16384, 4096, 64),
        ];
        Assert.All(works, w => Assert.True(machine.Seconds(w) > machine.CeilingSeconds(w), $"{w}"));
    }

    [Fact]
    public void Products_gain_with_every_side_and_attention_with_keys()
    {
        double Rate(KernelWork work) => work.Flops / H100.Seconds(work);
        Assert.True(Rate(KernelWork.Gemm(16384, 4096, 4096, 0)) > Rate(KernelWork.Gemm(4096, 4096, 4096, 0)));
        Assert.True(Rate(KernelWork.Gemm(16384, 4096, 4096, 0)) > Rate(KernelWork.Gemm(16384, 1024, 4096, 0)));
        Assert.True(Rate(KernelWork.Gemm(16384, 4096, 4096, 0)) > Rate(KernelWork.Gemm(16384, 4096, 512, 0)));
        Assert.True(
            Rate(KernelWork.Attention(true, 16384 * 8192.0, 16384, 4096, 128))
                > Rate(KernelWork.Attention(true, 16384 * 256.0, 16384, 4096, 128))
        );
    }

    [Fact]
    public void Heads_wider_than_tensor_cores_take_are_as_fast_as_fp32()
    {
        double Seconds(double headDim) => H100.Seconds(KernelWork.Attention(true, 16384 * 8192.0, 16384, 4096, headDim));
        Assert.InRange(Seconds(512) / Seconds(256), 10, 20);
    }

    /// <summary>Their tiles are small, and each goes through its tokens in turn.</summary>
    [Fact]
    public void Recurrences_go_with_fp32_and_with_how_many_there_are_side_by_side()
    {
        var profile = Checkout.Profile("h100-sxm");
        double Rate(int sideBySide, DType operands)
        {
            var work = KernelWork.Attention(true, 1e12, 16384, 1, 128) with { SideBySide = sideBySide };
            return work.Flops / new CostModel(profile, operands).Seconds(work);
        }

        double all = profile.PeakFlopsPerSecond(DType.Float32), sms = profile.SmCount!.Value;
        Assert.InRange(Rate(1000, DType.BFloat16) / all, 0.39, 0.41);
        Assert.InRange(Rate(1000, DType.Float32) / all, 0.09, 0.11);
        Assert.InRange(Rate(66, DType.BFloat16) / Rate(1000, DType.BFloat16) * sms / 66, 0.99, 1.01);
    }

    [Fact]
    public void A_measured_rate_counts_more_than_constants_and_the_launch_comes_on_top()
    {
        var profile = Checkout.Profile("h100-sxm");
        var rates = new KernelRates(DType.BFloat16, "made up", ImmutableSortedDictionary<Kernel, ImmutableArray<KernelRate>>.Empty
            .Add(Kernel.Update, [new KernelRate(1, 1, 1, 1e6, 1e12)]));
        var measured = new CostModel(profile with { Kernels = rates }, DType.BFloat16);
        Assert.Equal(1e-3 + profile.KernelLaunchSeconds.Value, measured.Seconds(Kernel.Update, KernelWork.Memory(1e9)), 1e-12);
        Assert.Equal(H100.Seconds(KernelWork.Memory(1e9)), measured.Seconds(Kernel.GatedActivationForward, KernelWork.Memory(1e9)));

        // Rates at one type say nothing of another.
        var other = new CostModel(profile with { Kernels = rates }, DType.Float32);
        Assert.NotEqual(1e-3 + profile.KernelLaunchSeconds.Value, other.Seconds(Kernel.Update, KernelWork.Memory(1e9)), 1e-12);
    }

    /// <summary>Such as were measured before calibration had the kernel.</summary>
    [Fact]
    public void A_cpu_whose_profile_lacks_8_bit_updates_takes_longer_for_their_bytes_than_for_other_updates()
    {
        var rates = new KernelRates(DType.Float32, "made up", ImmutableSortedDictionary<Kernel, ImmutableArray<KernelRate>>.Empty
            .Add(Kernel.Update, [new KernelRate(1, 1, 1, 1e6, 1e10)]));
        double Seconds(HardwareKind kind, Kernel kernel, KernelRates measured) =>
            new CostModel(Checkout.Profile("h100-sxm") with { Kind = kind, Kernels = measured }, DType.Float32)
                .Seconds(kernel, KernelWork.Memory(1e9));
        double other = Seconds(HardwareKind.Cpu, Kernel.Update, rates);
        Assert.Equal(2.5, Seconds(HardwareKind.Cpu, Kernel.AdamW8Bit, rates) / other, 1e-3);
        Assert.Equal(H100.Seconds(KernelWork.Memory(1e9)), Seconds(HardwareKind.Gpu, Kernel.AdamW8Bit, rates), 1e-12);
        var own = rates with { ByKernel = rates.ByKernel.Add(Kernel.AdamW8Bit, [new KernelRate(1, 1, 1, 1e6, 5e9)]) };
        Assert.Equal(2, Seconds(HardwareKind.Cpu, Kernel.AdamW8Bit, own) / other, 1e-3);
    }
}
