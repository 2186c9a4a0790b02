using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow.Model;

/// <summary>The text form of a profile, which <see cref="HardwareProfileReader"/> reads back to the same value.</summary>
public static class HardwareProfileWriter
{
    private static readonly JsonSerializerOptions s_indented = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>JSON; lines end in "\n".</summary>
    public static string Write(HardwareProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        var root = new JsonObject
        {
            ["name"] = profile.Name,
            ["aliases"] = new JsonArray([.. profile.Aliases.Select(a => JsonValue.Create(a))]),
            ["device_names"] = new JsonArray([.. profile.DeviceNames.Select(n => JsonValue.Create(n))]),
            ["kind"] = profile.Kind == HardwareKind.Gpu ? "gpu" : "cpu",
        };
        if (profile.ComputeCapability is { } capability)
        {
            root["compute_capability"] = capability.ToString();
        }

        Add(root, "sm_count", profile.SmCount);
        Add(root, "device_memory_bytes", profile.DeviceMemoryBytes);
        Add(root, "reserved_device_bytes", profile.ReservedDeviceBytes);
        root["peak_flops_per_s"] = new JsonObject { ["bf16"] = Of(profile.Bf16FlopsPerSecond), ["fp32"] = Of(profile.Fp32FlopsPerSecond) };
        Add(root, "memory_bandwidth_bytes_per_s", profile.MemoryBandwidthBytesPerSecond);
        foreach (var direction in LinkDirection.Among(profile.TierCount))
        {
            root[direction.Name] = Of(profile.Link(direction));
        }

        Add(root, "kernel_launch_s", profile.KernelLaunchSeconds);
        Add(root, "graph_launch_s", profile.GraphLaunchSeconds);
        Add(root, "reference_min_chunk_tokens", profile.ReferenceMinChunkTokens);
        Add(root, "power_limit_w", profile.PowerLimitWatts);
        Add(root, "host_memory_bandwidth_bytes_per_s", profile.HostMemoryBandwidthBytesPerSecond);
        if (!profile.Efficiency.IsEmpty)
        {
            root["efficiency"] = new JsonObject(profile.Efficiency.Select(e => KeyValuePair.Create(e.Key, (JsonNode?)Of(e.Value))));
        }

        if (profile.Cudnn is { } cudnn)
        {
            root["cudnn"] = new JsonObject
            {
                ["release"] = cudnn.Release.ToString(),
                ["forward_flops_per_s"] = Of(cudnn.ForwardFlopsPerSecond),
                ["backward_flops_per_s"] = Of(cudnn.BackwardFlopsPerSecond),
            };
        }

        string text = root.ToJsonString(s_indented);
        return (profile.Kernels is { } kernels ? text[..^2] + ",\n" + Text(kernels) + "\n}" : text) + "\n";
    }

    /// <summary>Tables a row a line: a number a line would be pages.</summary>
    private static string Text(KernelRates kernels)
    {
        var tables = kernels.ByKernel.Select(k =>
            $"      \"{k.Key}\": "
                + $"[\n{string.Join(",\n", k.Value.Select(r => "        " + Row(r, KernelWork.ClassOf(k.Key) == KernelClass.Memory)))}\n  "
                + $"    ]"
        );
        return $"  \"kernels\": {{\n    \"operands\": \"{(kernels.Operands == DType.BFloat16 ? "bf16" : "fp32")}\",\n    \"source\": "
            + $"{JsonValue.Create(kernels.Source)!.ToJsonString(s_indented)},\n"
            + $"    \"rates\": {{\n{string.Join(",\n", tables)}\n    }}\n  }}";
    }

    private static string Row(KernelRate rate, bool memory) =>
        new JsonArray([
            .. (memory ? new[] { rate.Bytes, rate.PerSecond } : [rate.Rows, rate.Columns, rate.Depth, rate.PerSecond]).Select(v =>
                JsonValue.Create(v)
            ),
        ]).ToJsonString();

    private static void Add(JsonObject to, string key, Figure? figure)
    {
        if (figure is not null)
        {
            to[key] = Of(figure);
        }
    }

    private static JsonObject Of(LinkProfile link) => new()
    {
        ["bytes_per_s"] = Of(link.BytesPerSecond),
        ["bytes_per_s_both_busy"] = Of(link.BytesPerSecondBothBusy),
        ["latency_s"] = Of(link.LatencySeconds),
    };

    private static JsonObject Of(Figure figure) => new()
    {
        ["value"] = figure.Value,
        ["kind"] = figure.Kind.ToString().ToLowerInvariant(),
        ["source"] = figure.Source,
    };
}
