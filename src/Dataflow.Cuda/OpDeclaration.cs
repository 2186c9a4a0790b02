using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>
/// What the emulated driver is told of the op that a stream launches: its bytes, which of them it overwrites (they become unwritten, so
/// that an output that is missing is found by its first reader), and for each kernel the operands that it may touch. A kernel with an
/// operand that its op does not access is refused at once.
/// </summary>
internal sealed class OpDeclaration(Schedule schedule, CudaArenas arenas, CudaStream stream)
{
    private readonly List<DeclaredRange> accessed = [];
    private string name = "";

    /// <summary>The op starts: it conflicts with what its accesses conflict with, whatever its kernels touch of them.</summary>
    public void Begin(int op)
    {
        name = ScheduleText.NameOf(schedule, op);
        accessed.Clear();
        foreach (var access in schedule.Ops[op].Accesses)
        {
            var slot = schedule.Slots[access.Slot];
            accessed.Add(
                new DeclaredRange(
                    new DevicePointer(arenas.Start(slot.Arena)) + slot.Offset + access.Offset,
                    access.Length,
                    access.Mode switch
                    {
                        AccessMode.Read => MemoryAccess.Read,
                        AccessMode.Write => MemoryAccess.Write,
                        _ => MemoryAccess.Read | MemoryAccess.Write,
                    }
                )
            );
        }

        CudaEmulation.Begin(stream, name, [.. accessed]);
    }

    /// <summary>What the op's next launches may touch.</summary>
    /// <param name="kernel">For messages: the catalog's name of what is launched.</param>
    /// <param name="operands">Ranges of the op's own.</param>
    /// <param name="beside">Memory that is no slot's.</param>
    /// <exception cref="InvalidOperationException">The op does not access an operand, or does not write it.</exception>
    public void Launches(string kernel, ReadOnlySpan<DeclaredRange> operands, params ReadOnlySpan<DeclaredRange> beside)
    {
        foreach (var operand in operands)
        {
            if (!Accesses(operand))
            {
                throw new InvalidOperationException(
                    $"{name} calls {kernel}, which {(operand.Access == MemoryAccess.Read ? "reads" : "writes")} {operand.Length.Value} "
                        + $"bytes at {operand.Start}: the op's accesses do not say so"
                );
            }
        }

        // Scratch serves one kernel of an op after the other: what the last one left there is no output of the next.
        CudaEmulation.DeclareNothing(stream);
        foreach (var operand in operands)
        {
            if (operand.Access == MemoryAccess.Write && !IsRead(operand, operands))
            {
                CudaEmulation.Forget(stream, operand.Start, operand.Length);
            }
        }

        CudaEmulation.Declare(stream, [.. operands, .. beside]);
    }

    /// <summary>What follows on the stream is no op's.</summary>
    public void End() => CudaEmulation.DeclareNothing(stream);

    /// <summary>In place: the kernel overwrites what it reads.</summary>
    private static bool IsRead(DeclaredRange output, ReadOnlySpan<DeclaredRange> operands)
    {
        foreach (var operand in operands)
        {
            if ((operand.Access & MemoryAccess.Read) != 0 && operand.Start.Address < output.Start.Address + (ulong)output.Length.Value
                && output.Start.Address < operand.Start.Address + (ulong)operand.Length.Value)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Whether the op's accesses cover the operand: of a window, for one, it reads the rows of others and overwrites its own.
    /// </summary>
    private bool Accesses(DeclaredRange operand)
    {
        ulong at = operand.Start.Address, end = at + (ulong)operand.Length.Value;
        bool writes = (operand.Access & MemoryAccess.Write) != 0;
        while (at < end)
        {
            // What an op overwrites it may read again.
            var next = accessed.Find(a =>
                at - a.Start.Address < (ulong)a.Length.Value && (!writes || (a.Access & MemoryAccess.Write) != 0)
            );
            if (next.Length == Bytes.Zero)
            {
                return false;
            }

            at = next.Start.Address + (ulong)next.Length.Value;
        }

        return true;
    }
}
