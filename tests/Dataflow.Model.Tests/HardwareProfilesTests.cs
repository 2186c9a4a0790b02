namespace Dataflow.Model.Tests;

/// <summary>The shipped profiles are complete, sourced and plausible.</summary>
public class HardwareProfilesTests
{
    // Rates of one link measured in different runs: both directions may seem a little faster than one.
    private const double Noise = 1.02;

    public static TheoryData<string> Shipped =>
        new(
            Directory
                .GetFiles(Path.Combine(Repository.Root, "profiling", "hardware"), "*.json")
                .Select(f => Path.GetFileNameWithoutExtension(f)!)
                .Order(StringComparer.Ordinal)
        );

    private static HardwareProfile Profile(string file) =>
        HardwareProfileReader.Parse(Repository.Read("profiling", "hardware", file + ".json"), file);

    [Fact]
    public void The_machines_that_were_asked_for_are_there() => Assert.Equal(
        ["a100-80gb", "b200", "cpu", "h100-sxm", "h200-sxm", "rtx3090", "rtx4090", "rtx5090"],
        Shipped.Select(row => row.Data));

    [Theory, MemberData(nameof(Shipped))]
    public void A_profile_is_named_as_its_file_and_each_figure_has_a_source(string file)
    {
        var profile = Profile(file);
        Assert.Equal(file, profile.Name);
        Assert.All(Figures(profile), f => Assert.True(f.Source.Length > 15, $"'{f.Source}' names no document"));
        Assert.All(Figures(profile), f => Assert.DoesNotContain("://", f.Source, StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Shipped))]
    public void Figures_are_plausible(string file)
    {
        var profile = Profile(file);
        Assert.True(profile.PeakFlopsPerSecond(DType.BFloat16) >= profile.PeakFlopsPerSecond(DType.Float32));
        foreach (var link in profile.Links)
        {
            Assert.InRange(link.BytesPerSecondBothBusy.Value, 1e9, link.BytesPerSecond.Value * Noise);
            Assert.InRange(link.BytesPerSecond.Value, 1e9, Math.Min(64e9, profile.MemoryBandwidthBytesPerSecond.Value));
            Assert.InRange(link.LatencySeconds.Value, 0, 1e-3);
        }

        Assert.InRange(profile.KernelLaunchSeconds.Value, 1e-7, 1e-4);
        if (profile.Kind == HardwareKind.Gpu)
        {
            Assert.InRange(profile.DeviceMemory!.Value.GiB, 23.9, 192);
            Assert.InRange(profile.ReservedDevice.GiB, 0.1, 4);
            Assert.InRange(profile.MemoryBandwidthBytesPerSecond.Value, 0.5e12, 10e12);
            Assert.InRange(profile.PeakFlopsPerSecond(DType.BFloat16), 50e12, 3e15);
            Assert.True(profile.ComputeCapability >= new ComputeCapability(8, 0));
            Assert.NotEmpty(profile.DeviceNames);
        }
        else
        {
            Assert.Null(profile.DeviceMemory);
            Assert.Equal(Bytes.Zero, profile.ReservedDevice);
        }
    }

    [Theory]
    [InlineData("h100-sxm", 989e12, 16384, 132)]
    [InlineData("a100-80gb", 312e12, 16384, 108)]
    [InlineData("rtx5090", 209.5e12, 8192, 170)]
    [InlineData("rtx3090", 71e12, 8192, 82)]
    public void Machines_of_the_published_sweeps_have_the_figures_that_these_were_planned_with(
        string file,
        double peak,
        int chunk,
        int multiprocessors
    )
    {
        var profile = Profile(file);
        Assert.Equal(peak, profile.PeakFlopsPerSecond(DType.BFloat16));
        Assert.Equal(chunk, profile.ReferenceMinChunkTokens!.Value);
        Assert.Equal(multiprocessors, profile.SmCount!.Value);
    }

    [Fact]
    public void Names_aliases_and_device_names_mean_one_profile_each()
    {
        var profiles = Shipped.Select(row => Profile(row.Data)).ToList();
        Assert.Distinct(profiles.SelectMany(p => p.Aliases.Prepend(p.Name)));
        Assert.Distinct(profiles.SelectMany(p => p.DeviceNames));
        foreach (var (word, name) in new[] { ("h100", "h100-sxm"), ("H200", "h200-sxm"), ("a100", "a100-80gb"), ("cpu", "cpu") })
        {
            Assert.Equal(name, Assert.Single(profiles, p => p.IsCalled(word)).Name);
        }
    }

    private static IEnumerable<Figure> Figures(HardwareProfile p) => new[]
    {
        p.SmCount, p.DeviceMemoryBytes, p.ReservedDeviceBytes, p.Bf16FlopsPerSecond, p.Fp32FlopsPerSecond, p.MemoryBandwidthBytesPerSecond,
        p.KernelLaunchSeconds, p.ReferenceMinChunkTokens, p.PowerLimitWatts, p.HostMemoryBandwidthBytesPerSecond,
    }.OfType<Figure>()
        .Concat(p.Links.SelectMany(l => new[] { l.BytesPerSecond, l.BytesPerSecondBothBusy, l.LatencySeconds }))
        .Concat(p.Efficiency.Values);
}
