namespace Dataflow.Cli.Tests;

/// <summary>
/// A machine whose GPU cannot be used says why and what to do, and ends with status 1. The emulated driver plays the machines.
/// </summary>
[Trait("Slow", "true")]
public sealed class GpuFaultTests
{
    private const string Train =
        "train nano --data README.md --seqlen 64 --host-memory 64MiB --device-memory 1400MiB --dtype bf16 --steps 1 --global-batch 256 "
            + "--device cuda-emulated --hardware h100";
    private const long Total = 24L << 30,
        Context = 300L << 20;

    [Theory]
    [InlineData("device_count=0", "no CUDA-capable device", "--gpus all")]
    [InlineData("driver_version=11040", "runs CUDA up to 11.4", "install driver 525 or newer")]
    [InlineData("cublas=0", "starting cuBLASLt", "install a newer driver")]
    [InlineData("pinned_limit=4096", "host arena", "ulimit -l")]
    [InlineData("host_registration=0", "host arena", "--host-memory")]
    public void A_GPU_that_cannot_be_used_is_named_with_what_to_do(string fault, string what, string remedy)
    {
        string said = Programs.Refused(1, Emulated(fault));
        Assert.Contains(what, said, StringComparison.Ordinal);
        Assert.Contains(remedy, said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Total - Context + (1 << 20), "opening GPU 0", "process 1 uses 23.708 GiB: end what fills it")]
    [InlineData(
        Total - Context - (1 << 20),
        "the device arena",
        "(process 1 uses 23.706 GiB): end what else uses it, or give a smaller --device-memory"
    )]
    public void Another_process_that_fills_the_GPU_is_named(long takes, string what, string remedy)
    {
        string said = Programs.Refused(1, Emulated($"others_memory={takes}"));
        Assert.Contains(what, said, StringComparison.Ordinal);
        Assert.Contains(remedy, said, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_says_what_it_took_of_the_GPU_and_stays_within_its_budget()
    {
        string output = Programs.Good(Emulated("seed=1"));
        Assert.Matches(
            @"GPU memory: \d+\.\d+ GiB of 1\.367 GiB \(\d+\.\d%\), by the driver's count: the arena of .*1\.225 GiB were reserved",
            output
        );
    }

    [Fact]
    public void A_driver_that_takes_more_than_the_profile_reserves_is_refused_where_that_breaks_the_budget()
    {
        string said = Programs.Refused(1, Emulated("context_memory=1500000000"));
        Assert.Contains("more than the device budget of 1.367 GiB", said, StringComparison.Ordinal);
        Assert.Contains("dataflow calibrate", said, StringComparison.Ordinal);
    }

    [Fact]
    public void A_budget_beyond_the_GPU_is_refused() =>
        Assert.Contains("this GPU has 0.931 GiB", Programs.Refused(2, Emulated("total_memory=1000000000")), StringComparison.Ordinal);

    private static Outcome Emulated(string fault) =>
        Programs.Run(
            Path.Combine(Programs.Root, "bin", "dataflow"),
            Train.Split(' '),
            environment: new Dictionary<string, string?> { ["DATAFLOW_EMULATION"] = fault }
        );
}
