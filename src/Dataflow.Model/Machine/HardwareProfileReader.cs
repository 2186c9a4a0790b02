using System.Collections.Immutable;
using System.Globalization;

namespace Dataflow.Model;

/// <summary>
/// Reads a hardware profile from JSON text (profiling/README.md documents the format). All faults of a file are reported in one
/// <see cref="UserErrorException"/>; a profile that was read needs no further check.
/// </summary>
public static class HardwareProfileReader
{
    private const double LargestSize = 1L << 50;

    private static readonly string[] s_keys =
    [
        "name", "aliases", "device_names", "kind", "compute_capability", "sm_count", "device_memory_bytes", "reserved_device_bytes",
        "peak_flops_per_s", "memory_bandwidth_bytes_per_s", .. LinkDirection.All.Select(d => d.Name), "kernel_launch_s",
        "graph_launch_s", "reference_min_chunk_tokens", "power_limit_w", "host_memory_bandwidth_bytes_per_s", "efficiency",
        "cudnn", "kernels",
    ];

    /// <summary>The profile in <paramref name="json"/>.</summary>
    /// <param name="json">The text of the file.</param>
    /// <param name="source">What messages call the text, for example its path.</param>
    /// <exception cref="UserErrorException">The text is no profile, or not a complete one.</exception>
    public static HardwareProfile Parse(string json, string source) => JsonFields.Parse(json, source, "a hardware profile", root =>
    {
        var fields = new FigureFields(root);
        var profile = Read(fields);
        Check(profile, fields);
        return fields.Faults.Count == 0
            ? profile
            : throw new UserErrorException($"{source} cannot be used: {string.Join("; ", fields.Faults)}");
    });

    private static HardwareProfile Read(FigureFields fields)
    {
        fields.RefuseOthers(s_keys);
        var kind = fields.OneOf("kind", ("gpu", HardwareKind.Gpu), ("cpu", HardwareKind.Cpu));
        bool gpu = kind == HardwareKind.Gpu;
        var peak = fields.Inner("peak_flops_per_s", "bf16", "fp32");
        return new HardwareProfile
        {
            Name = fields.Text("name"),
            Aliases = fields.Texts("aliases"),
            DeviceNames = fields.Texts("device_names"),
            Kind = kind,
            ComputeCapability = gpu ? Capability(fields) : fields.None<ComputeCapability>("compute_capability"),
            SmCount = gpu ? fields.Whole("sm_count", 1, 1 << 16) : fields.NoFigure("sm_count"),
            DeviceMemoryBytes = gpu ? fields.Whole("device_memory_bytes", 1, LargestSize) : fields.NoFigure("device_memory_bytes"),
            ReservedDeviceBytes = fields.Whole("reserved_device_bytes", 0, LargestSize),
            Bf16FlopsPerSecond = peak.Positive("bf16"),
            Fp32FlopsPerSecond = peak.Positive("fp32"),
            MemoryBandwidthBytesPerSecond = fields.Positive("memory_bandwidth_bytes_per_s"),
            Links = [.. LinkDirection.All.Where(d => d.Far == MemoryTier.Host || fields.Has(d.Name)).Select(d => Link(fields, d.Name))],
            KernelLaunchSeconds = fields.Seconds("kernel_launch_s"),
            GraphLaunchSeconds = !gpu ? fields.NoFigure("graph_launch_s")
                : fields.Has("graph_launch_s") ? fields.Seconds("graph_launch_s") : null,
            ReferenceMinChunkTokens = fields.Has("reference_min_chunk_tokens")
                ? fields.Whole("reference_min_chunk_tokens", 1, 1 << 24)
                : null,
            PowerLimitWatts = fields.Has("power_limit_w") ? fields.Positive("power_limit_w") : null,
            HostMemoryBandwidthBytesPerSecond = fields.Has("host_memory_bandwidth_bytes_per_s")
                ? fields.Positive("host_memory_bandwidth_bytes_per_s")
                : null,
            Efficiency = fields.Has("efficiency") ? Efficiency(fields) : ImmutableSortedDictionary<string, Figure>.Empty,
            Cudnn = fields.Has("cudnn") ? Cudnn(fields) : null,
            Kernels = fields.Has("kernels") ? KernelRatesReader.Read(fields.Inner("kernels", "operands", "source", "rates")) : null,
        };
    }

    private static LinkProfile Link(FigureFields fields, string key)
    {
        var link = fields.Inner(key, "bytes_per_s", "bytes_per_s_both_busy", "latency_s");
        return new LinkProfile(
            link.Positive("bytes_per_s"),
            link.Positive("bytes_per_s_both_busy"),
            link.Seconds("latency_s", fromZero: true)
        );
    }

    private static ImmutableSortedDictionary<string, Figure> Efficiency(FigureFields fields)
    {
        var inner = fields.Inner("efficiency");
        return inner.Keys.ToImmutableSortedDictionary(key => key, inner.Positive, StringComparer.Ordinal);
    }

    private static CudnnRates Cudnn(FigureFields fields)
    {
        var inner = fields.Inner("cudnn", "release", "forward_flops_per_s", "backward_flops_per_s");
        string text = inner.Text("release");
        if (!Version.TryParse(text, out var release) || release.Build < 0)
        {
            fields.Faults.Add($"cudnn.release must be as \"9.28.1\", found \"{text}\"");
        }

        return new CudnnRates(release ?? new Version(), inner.Positive("forward_flops_per_s"), inner.Positive("backward_flops_per_s"));
    }

    private static ComputeCapability? Capability(FigureFields fields)
    {
        string text = fields.Text("compute_capability");
        string[] parts = text.Split('.');
        if (parts.Length == 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int major) && major is > 0 and < 1000
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int minor) && minor < 10)
        {
            return new ComputeCapability(major, minor);
        }

        if (text.Length > 0)
        {
            fields.Faults.Add($"compute_capability must be as \"9.0\", found \"{text}\"");
        }

        return null;
    }

    private static void Check(HardwareProfile profile, FigureFields fields)
    {
        foreach (string name in profile.Aliases.Prepend(profile.Name).Where(n => n.Length > 0 && !IsName(n)))
        {
            fields.Faults.Add($"\"{name}\" is no name: lower case letters, digits and hyphens make one");
        }

        foreach (string twice in profile.Aliases.Prepend(profile.Name).GroupBy(n => n).Where(g => g.Count() > 1).Select(g => g.Key))
        {
            fields.Faults.Add($"\"{twice}\" is given twice as a name");
        }

        if (profile.DeviceMemoryBytes is { } memory && profile.ReservedDeviceBytes.Value >= memory.Value)
        {
            fields.Faults.Add("reserved_device_bytes must be less than device_memory_bytes");
        }
    }

    private static bool IsName(string text) =>
        text.Length <= 100
        && char.IsAsciiLetterOrDigit(text[0])
        && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');
}
