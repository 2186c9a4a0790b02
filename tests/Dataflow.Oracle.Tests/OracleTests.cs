using Dataflow.Cpu.Tests;
using Dataflow.Cuda.Emulated.Tests;

namespace Dataflow.Oracle.Tests;

/// <summary>The CPU device: some seeds always, all in a soak.</summary>
[Trait("Slow", "true")]
public sealed class CpuOracleTests : OracleSuite<CpuDevices>
{
    private static readonly int s_seeds = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1" ? 200 : 20;

    [Fact]
    [Trait("Soak", "true")]
    public void Loss_gradients_and_three_steps_are_those_of_TorchSharp() => CompareAll(Enumerable.Range(0, s_seeds));

    [Fact]
    public void So_are_those_of_layers_that_share_keys_and_values() => CompareAll(Enumerable.Range(0, 12), OracleCase.Sharing);

    [Fact]
    public void So_are_those_of_mixtures_with_a_router_z_loss() => CompareMixtures(Enumerable.Range(0, 30));
}

/// <summary>The CUDA device over the emulated driver: the smallest cases.</summary>
[Trait("Slow", "true")]
public sealed class EmulatedOracleTests : OracleSuite<EmulatedDevices>
{
    [Fact]
    [Trait("Soak", "true")]
    public void Loss_gradients_and_three_steps_are_those_of_TorchSharp() =>
        CompareAll(Enumerable.Range(0, 20).Select(i => i * OracleCase.SmallestEvery));

    [Fact]
    public void So_are_those_of_layers_that_share_keys_and_values() =>
        CompareAll(Enumerable.Range(0, 5).Select(i => i * OracleCase.SmallestEvery), OracleCase.Sharing);

    [Fact]
    public void So_are_those_of_mixtures_with_a_router_z_loss() =>
        CompareMixtures(Enumerable.Range(0, 8).Select(i => i * OracleCase.SmallestEvery));
}
