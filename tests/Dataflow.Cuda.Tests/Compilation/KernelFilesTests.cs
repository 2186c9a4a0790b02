namespace Dataflow.Cuda.Tests;

/// <summary>The kernels that ship: all of them compile for all GPUs, and none of the hot ones spills.</summary>
public class KernelFilesTests
{
    [Trait("Slow", "true")]
    [Fact]
    public void All_compile_for_all_targets_without_a_warning_and_the_hot_ones_keep_everything_in_registers()
    {
        Fetched.UseNvrtc();
        var sources = KernelSources.Read(Fetched.Kernels);
        Assert.NotEmpty(sources.All);
        var results = KernelBuild.Run(sources, KernelTarget.Shipped, new KernelStore(Fetched.Images), Environment.ProcessorCount);
        Assert.Equal(sources.All.Count * KernelTarget.Shipped.Count, results.Count);
        string[] said =
        [
            .. results
                .Select(r => (r, Text: r.Fault ?? r.Warnings))
                .Where(s => s.Text.Length > 0)
                .Select(s => $"{s.r.Kernel}.cu for {s.r.Target}: {s.Text}"),
            .. HotKernels.Faults(results),
        ];
        Assert.True(said.Length == 0, string.Join('\n', said));
    }
}
