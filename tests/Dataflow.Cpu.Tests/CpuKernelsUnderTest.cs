using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Dataflow.Conformance;
using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu.Tests;

/// <summary>The kernels of the CPU device with two, one and three threads; scratch is full of NaN.</summary>
public sealed unsafe class CpuKernelsUnderTest : KernelsUnderTest
{
    private static readonly int[] s_threads = [2, 1, 3];

    public override KernelMemory Open(ImmutableArray<KernelOperand> operands, int order) =>
        new Memory(operands, s_threads[order % s_threads.Length]);

    private sealed class Memory : KernelMemory
    {
        private const byte NaN = 0xff; // in fp32, bf16 and fp64
        private readonly ThreadTeam team;
        private readonly CpuKernels kernels;
        private readonly ImmutableArray<KernelOperand> operands;
        private readonly nuint[] addresses;

        public Memory(ImmutableArray<KernelOperand> operands, int threads)
        {
            this.operands = operands;
            team = new ThreadTeam(threads);
            kernels = new CpuKernels(team);
            addresses = [.. operands.Select(o => (nuint)NativeMemory.AlignedAlloc((nuint)o.Length.Aligned.Value, (nuint)Bytes.Alignment))];
        }

        public override nuint Address(int operand) => addresses[operand];

        public override void Write(int operand, ReadOnlySpan<byte> bytes) => bytes.CopyTo(Span(operand));

        public override void Read(int operand, Span<byte> bytes) => Span(operand)[..bytes.Length].CopyTo(bytes);

        public override void Run(in StepArguments step, Action<KernelStream> calls)
        {
            for (int i = 0; i < addresses.Length; i++)
            {
                if (operands[i].Mode == AccessMode.Write)
                {
                    Span(i).Fill(NaN);
                }
            }

            kernels.Arguments = step;
            calls(new KernelStream(kernels));
        }

        protected override void Dispose(bool disposing)
        {
            team.Dispose();
            Array.ForEach(addresses, a => NativeMemory.AlignedFree((void*)a));
        }

        private Span<byte> Span(int operand) => new((void*)addresses[operand], (int)operands[operand].Length.Value);
    }
}
