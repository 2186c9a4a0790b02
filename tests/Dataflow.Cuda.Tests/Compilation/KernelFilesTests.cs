namespace Dataflow.Cuda.Tests;

/// <summary>
/// The kernels that ship: all of them compile, and none of the hot ones spills; in a soak run for all GPUs, else for the one that the
/// README names.
/// </summary>
public class KernelFilesTests
{
    private static IReadOnlyList<KernelTarget> Targets =>
        Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1"
            ? KernelTarget.Shipped
            : [KernelTarget.Parse("sm_90a")];

    [Trait("Slow", "true")]
    [Trait("Soak", "true")]
    [Fact]
    public void All_compile_without_a_warning_and_the_hot_ones_keep_everything_in_registers()
    {
        Fetched.UseNvrtc();
        var sources = KernelSources.Read(Fetched.Kernels);
        Assert.NotEmpty(sources.All);
        var results = KernelBuild.Run(sources, Targets, new KernelStore(Fetched.Images), Environment.ProcessorCount);
        Assert.Equal(sources.All.Count * Targets.Count, results.Count);
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
