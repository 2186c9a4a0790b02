using System.Text.Json.Nodes;

namespace Dataflow.Model.Tests;

/// <summary>A profile is read whole or refused in one message that lists all faults.</summary>
public class HardwareProfileReaderTests
{
    private static JsonObject Gpu() => JsonNode.Parse(Repository.Read("profiling", "hardware", "h100-sxm.json"))!.AsObject();

    private static string Refusal(JsonNode profile) => Refusal(profile.ToJsonString());

    private static string Refusal(string text) =>
        Assert.Throws<UserErrorException>(() => HardwareProfileReader.Parse(text, "a.json")).Message;

    [Fact]
    public void Figures_keep_their_value_kind_and_source()
    {
        var profile = HardwareProfileReader.Parse(Gpu().ToJsonString(), "a.json");
        Assert.Equal(HardwareKind.Gpu, profile.Kind);
        Assert.Equal(new ComputeCapability(9, 0), profile.ComputeCapability);
        Assert.Equal(new Bytes(81559L << 20), profile.DeviceMemory);
        Assert.Equal(989e12, profile.PeakFlopsPerSecond(DType.BFloat16));
        Assert.Equal(FigureKind.Datasheet, profile.Bf16FlopsPerSecond.Kind);
        Assert.Equal(FigureKind.Estimate, profile.ReservedDeviceBytes.Kind);
        Assert.Contains("H100 SXM", profile.Bf16FlopsPerSecond.Source, StringComparison.Ordinal);
        Assert.Equal(6, profile.Efficiency.Count);
        Assert.Null(profile.Kernels);
    }

    [Fact]
    public void Fitted_constants_are_read_by_their_own_names()
    {
        var gpu = Gpu();
        gpu["efficiency"] = new JsonObject
        {
            ["gemm"] = new JsonObject
            {
                ["value"] = 0.68,
                ["kind"] = "measured",
                ["source"] = "fitted to half of the sweeps",
            },
        };
        var (name, figure) = Assert.Single(HardwareProfileReader.Parse(gpu.ToJsonString(), "a.json").Efficiency);
        Assert.Equal("gemm", name);
        Assert.Equal(new Figure(0.68, FigureKind.Measured, "fitted to half of the sweeps"), figure);
    }

    [Fact]
    public void Launches_within_graphs_cost_what_is_said_or_half()
    {
        var gpu = Gpu();
        gpu["kernel_launch_s"]!["value"] = 3e-6;
        var unsaid = HardwareProfileReader.Parse(gpu.ToJsonString(), "a.json");
        Assert.Null(unsaid.GraphLaunchSeconds);
        var inGraphs = unsaid.WithGraphs().KernelLaunchSeconds;
        Assert.Equal((1.5e-6, FigureKind.Estimate), (inGraphs.Value, inGraphs.Kind));
        gpu["graph_launch_s"] = new JsonObject { ["value"] = 1e-6, ["kind"] = "measured", ["source"] = "a graph of 500 kernels" };
        var said = HardwareProfileReader.Parse(gpu.ToJsonString(), "a.json");
        Assert.Equal(new Figure(1e-6, FigureKind.Measured, "a graph of 500 kernels"), said.WithGraphs().KernelLaunchSeconds);
        Assert.Equal(said.GraphLaunchSeconds, HardwareProfileReader.Parse(HardwareProfileWriter.Write(said), "a.json").GraphLaunchSeconds);
        gpu["kind"] = "cpu";
        Assert.Contains("graph_launch_s has no meaning for this kind", Refusal(gpu), StringComparison.Ordinal);
    }

    [Theory]
    [
        InlineData("reference_min_chunk_tokens"),
        InlineData("power_limit_w"),
        InlineData("host_memory_bandwidth_bytes_per_s"),
        InlineData("efficiency")
    ]
    [InlineData("aliases"), InlineData("device_names")]
    public void What_may_be_unknown_may_be_left_out(string key)
    {
        var gpu = Gpu();
        gpu.Remove(key);
        Assert.Equal("h100-sxm", HardwareProfileReader.Parse(gpu.ToJsonString(), "a.json").Name);
    }

    [Theory]
    [InlineData("name"), InlineData("kind"), InlineData("compute_capability"), InlineData("sm_count"), InlineData("device_memory_bytes")]
    [
        InlineData("reserved_device_bytes"),
        InlineData("peak_flops_per_s"),
        InlineData("memory_bandwidth_bytes_per_s"),
        InlineData("host_to_device")
    ]
    [InlineData("device_to_host"), InlineData("kernel_launch_s")]
    public void What_is_needed_and_missing_is_named_once(string key)
    {
        var gpu = Gpu();
        gpu.Remove(key);
        Assert.Equal($"a.json cannot be used: {key} is missing", Refusal(gpu));
    }

    [Theory]
    [InlineData("host_to_device", "latency_s")]
    [InlineData("peak_flops_per_s", "fp32")]
    [InlineData("kernel_launch_s", "source")]
    [InlineData("kernel_launch_s", "kind")]
    [InlineData("kernel_launch_s", "value")]
    public void What_is_missing_inside_is_named_by_its_path(string key, string inner)
    {
        var gpu = Gpu();
        gpu[key]!.AsObject().Remove(inner);
        Assert.Equal($"a.json cannot be used: {key}.{inner} is missing", Refusal(gpu));
    }

    [Theory]
    [InlineData("-1", "found -1")]
    [InlineData("0", "a number above 0 and at most 1e18, found 0")]
    [InlineData("1e999", "found 1e999")]
    [InlineData("\"fast\"", "found \"fast\"")]
    [InlineData("[1]", "found [1]")]
    public void A_rate_is_finite_and_above_zero(string value, string fault)
    {
        string text = Gpu()
            .ToJsonString()
            .Replace("3.35e12", value, StringComparison.Ordinal)
            .Replace("3.35E+12", value, StringComparison.Ordinal);
        string message = Refusal(text);
        Assert.StartsWith("a.json cannot be used: memory_bandwidth_bytes_per_s.value must be ", message, StringComparison.Ordinal);
        Assert.EndsWith(fault, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.5")]
    [InlineData("1e16")]
    [InlineData("0")]
    public void A_size_is_a_whole_number_within_reason(string value)
    {
        var gpu = Gpu();
        gpu["device_memory_bytes"]!["value"] = JsonNode.Parse(value);
        Assert.Contains("device_memory_bytes.value must be a whole number from 1 to ", Refusal(gpu), StringComparison.Ordinal);
    }

    [Fact]
    public void All_faults_are_in_one_message()
    {
        var gpu = Gpu();
        gpu["power_limt_w"] = 700;
        gpu["kind"] = "tpu";
        gpu["kernel_launch_s"]!["kind"] = "guess";
        gpu["kernel_launch_s"]!["source"] = " ";
        gpu["aliases"] = new JsonArray("H 100");
        gpu["compute_capability"] = "sm_90";
        gpu["host_to_device"]!["speed"] = 1;
        string message = Refusal(gpu);
        Assert.DoesNotContain('\n', message);
        foreach (
            string part in new[]
            {
                "power_limt_w is not a key",
                "kind must be \"gpu\" or \"cpu\", found \"tpu\"",
                "kernel_launch_s.kind must be \"datasheet\" or",
                "kernel_launch_s.source must be",
                "\"H 100\" is no name",
                "compute_capability must be as \"9.0\"",
                "host_to_device.speed is not a key",
            }
        )
        {
            Assert.Contains(part, message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_reserve_leaves_something()
    {
        var gpu = Gpu();
        gpu["reserved_device_bytes"]!["value"] = 100L << 30;
        Assert.EndsWith("reserved_device_bytes must be less than device_memory_bytes", Refusal(gpu), StringComparison.Ordinal);
    }

    [Fact]
    public void A_cpu_has_no_multiprocessors_and_no_memory_of_its_own()
    {
        var gpu = Gpu();
        gpu["kind"] = "cpu";
        string message = Refusal(gpu);
        foreach (string key in new[] { "compute_capability", "sm_count", "device_memory_bytes" })
        {
            Assert.Contains($"{key} has no meaning for this kind of hardware", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("", "is not valid JSON")]
    [InlineData("[]", "is not a hardware profile: a JSON object was expected, found []")]
    [InlineData("{\"name\":\"a\",\"name\":\"b\"}", "is not valid JSON")]
    public void Other_texts_are_refused(string text, string fault) => Assert.Contains(fault, Refusal(text), StringComparison.Ordinal);
}
