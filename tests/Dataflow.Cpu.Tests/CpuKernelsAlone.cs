using System.Runtime.InteropServices;
using Dataflow.Conformance;
using Dataflow.Cpu.Kernels;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests;

/// <summary>The CPU's kernels on a team of two.</summary>
public sealed unsafe class CpuKernelsAlone : KernelsUnderTest
{
    private const int Alignment = 256;
    private readonly ThreadTeam team = new(2);
    private readonly List<nuint> taken = [];

    public override nuint Place(ReadOnlySpan<byte> bytes)
    {
        void* memory = NativeMemory.AlignedAlloc((nuint)Math.Max(1, bytes.Length), Alignment);
        bytes.CopyTo(new Span<byte>(memory, bytes.Length));
        taken.Add((nuint)memory);
        return (nuint)memory;
    }

    public override void Read(nuint at, Span<byte> bytes) => new ReadOnlySpan<byte>((void*)at, bytes.Length).CopyTo(bytes);

    public override void AdamW8Bit(in AdamW8BitArguments call, in StepArguments step) =>
        call.Launch(new CpuKernels(team) { Arguments = step });

    protected override void Dispose(bool disposing)
    {
        team.Dispose();
        taken.ForEach(m => NativeMemory.AlignedFree((void*)m));
    }
}
