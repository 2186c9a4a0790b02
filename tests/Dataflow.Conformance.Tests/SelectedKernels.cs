using System.Collections.Immutable;

namespace Dataflow.Conformance.Tests;

/// <summary>The kernels of the device that <see cref="SelectedDevice"/> is.</summary>
public sealed class SelectedKernels : KernelsUnderTest
{
    public override string? Lack { get; } = new SelectedDevice().Lack;

    public override KernelMemory Open(ImmutableArray<KernelOperand> operands, int order) => SelectedDevice.OpenKernels(operands, order);
}
