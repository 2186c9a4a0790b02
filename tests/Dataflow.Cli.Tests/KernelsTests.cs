using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow kernels, which needs no GPU.</summary>
public class KernelsTests
{
    [Fact]
    [Trait("Slow", "true")]
    public void It_prints_a_row_an_entry_point_and_ends_well_where_no_hot_kernel_spills()
    {
        string[] lines = Programs.Good(Programs.Dataflow("kernels --arch sm_90a,compute_80 --check")).TrimEnd('\n').Split('\n');
        Assert.Contains(lines, line =>
            line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is ["kernel", "sm_90a"]
        );
        Assert.Matches(@"(?m)^ +zero_bytes +\d+/0/0$", string.Join('\n', lines));
        Assert.Matches(@"^\d+ images compiled, \d+ kept, 0 refused, in ", lines[^1]);
        string images = Path.Combine(Programs.Root, "artifacts", "kernels");
        Assert.True(File.Exists(Path.Combine(images, "sm_90a", "zero.cubin")));
        Assert.True(File.Exists(Path.Combine(Programs.Root, "artifacts", "kernels", "compute_80", "zero.ptx")));
    }

    [Fact]
    public void As_json_it_is_one_object_with_an_entry_an_image()
    {
        var images = JsonDocument
            .Parse(Programs.Good(Programs.Dataflow("kernels --arch sm_90a,compute_80 --json")))
            .RootElement.GetProperty("images")
            .EnumerateArray()
            .ToList();
        Assert.Equal(Directory.GetFiles(Path.Combine(Programs.Root, "kernels"), "*.cu").Length * 2, images.Count);
        var zero = Assert.Single(images, i =>
            i.GetProperty("kernel").GetString() == "zero" && i.GetProperty("target").GetString() == "sm_90a"
        );
        Assert.Equal("zero_bytes", Assert.Single(zero.GetProperty("entry_points").EnumerateArray()).GetProperty("name").GetString());
        Assert.False(zero.GetProperty("hot").GetBoolean());
    }

    [Fact]
    public void Graphs_of_cuDNN_are_a_file_of_the_same_bytes_each_time()
    {
        using var scratch = new ScratchFolder();
        string first = scratch.File("first.json"), second = scratch.File("second.json");
        string said = Programs.Good(Programs.Dataflow($"kernels --cudnn-graphs {first}"));
        var told = JsonDocument.Parse(Programs.Good(Programs.Dataflow($"kernels --cudnn-graphs {second} --json"))).RootElement;
        Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(second));

        using var read = JsonDocument.Parse(File.ReadAllBytes(first));
        var graphs = read.RootElement.GetProperty("graphs").EnumerateArray().ToList();
        Assert.Equal(graphs.Count, told.GetProperty("graphs").GetInt32());
        Assert.StartsWith($"{graphs.Count} graphs for sm80, sm90, sm100, sm120 in {first}; ", said, StringComparison.Ordinal);
        Assert.Equal(["sm100", "sm120", "sm80", "sm90"], graphs.Select(g => g.GetProperty("arch").GetString()!).Distinct().Order());
        Assert.All(graphs, g => Assert.Equal(
            15, g.GetProperty("descriptors")[g.GetProperty("operation_graph").GetInt32()].GetProperty("type").GetInt32()));
        Assert.All(told.GetProperty("refused").EnumerateArray(), r =>
            Assert.Contains(r.GetProperty("reason").GetString()!, said, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("kernels --cudnn-graphs graphs.json --check", "leave out --arch and --check")]
    [InlineData("kernels --cudnn-graphs graphs.json --arch sm_90a", "leave out --arch and --check")]
    [InlineData("kernels --arch sm_75", "'sm_75' is no target for kernels")]
    [InlineData("kernels models/nano.json", "")]
    public void Bad_usage_is_refused(string arguments, string reason) =>
        Assert.Contains(reason, Programs.Refused(2, Programs.Dataflow(arguments)), StringComparison.Ordinal);

    /// <summary>
    /// A copy of program and sources outside of any checkout: what a machine without NVRTC, or with a faulty source, sees.
    /// </summary>
    [Fact]
    public void Away_from_the_checkout_it_says_what_is_missing_and_faults_of_sources_fail_it()
    {
        using var scratch = new ScratchFolder();
        Copy(Path.Combine(Programs.Root, "artifacts", "dataflow"), scratch.File("artifacts/dataflow"));
        Outcome Run(string? folders) => Programs.Run(
            Environment.GetEnvironmentVariable("DOTNET") is { Length: > 0 } dotnet ? dotnet : "dotnet",
            [scratch.File("artifacts/dataflow/Dataflow.Cli.dll"), "kernels", "--arch", "sm_80"],
            environment: new Dictionary<string, string?> { ["DATAFLOW_CUDA_LIBRARIES"] = folders });
        Assert.Contains("kernels' sources", Programs.Refused(1, Run(null)), StringComparison.Ordinal);

        Directory.CreateDirectory(scratch.File("kernels"));
        File.WriteAllText(scratch.File("kernels/device.cuh"), "");
        File.WriteAllText(scratch.File("kernels/faulty.cu"), "no kernel");
        var faulty = Run(Path.Combine(Programs.Root, ".cache", "nvrtc"));
        Assert.Contains("1 of 1 did not compile: faulty for sm_80", Programs.Refused(1, faulty), StringComparison.Ordinal);
        Assert.Contains("faulty.cu(1): error", faulty.Output, StringComparison.Ordinal);

        // A machine whose system has NVRTC finds that one; all others say what to install.
        var without = Run(null);
        Assert.Equal(1, without.Status);
        Assert.Matches(
            "^error: (NVRTC, the compiler for kernels, was not found .*`make setup` fetches it|1 of 1 did not compile)",
            without.Errors
        );
    }

    private static void Copy(string from, string to)
    {
        foreach (string file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
