using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>
/// The operands of one op, found by role: turns the names of a block program into addresses. A value without allocations, made anew for
/// each op that runs.
/// </summary>
public readonly struct OpOperands(Schedule schedule, nuint[] arenas, Geometry geometry, ScheduledOp op, BlockProgram program)
{
    /// <summary>Whether the op has an operand of that role.</summary>
    public bool Has(string role) => Find(role) >= 0;

    /// <summary>Whether the first contribution overwrites the operand's bytes.</summary>
    public bool Overwrites(string role) => op.Accesses[Find(role)].Mode == AccessMode.Write;

    /// <summary>Address of the first accessed byte of the operand.</summary>
    public nuint Accessed(string role)
    {
        var access = op.Accesses[Find(role)];
        return Object(access) + (nuint)access.Offset.Value;
    }

    /// <summary>Bytes accessed through the operand.</summary>
    public long AccessedLength(string role) => op.Accesses[Find(role)].Length.Value;

    /// <summary>Address of a tensor.</summary>
    public nuint Pointer(Operand operand)
    {
        var place = program.Places[operand];
        nuint start = Object(op.Accesses[Find(place.Role)]) + (nuint)place.Offset.Value;
        return operand.Tensor switch
        {
            // The loss operand is the chunk's own four bytes.
            TensorName.Loss => Accessed(Roles.Loss),
            TensorName.KvPiece or TensorName.GradKvPiece => start + (nuint)(PieceRow * place.Columns * place.Type.Size()),
            _ => start,
        };
    }

    /// <summary>A tensor of floating-point numbers, dense.</summary>
    public Tensor Tensor(Operand operand)
    {
        var place = program.Places[operand];
        return new Tensor(Pointer(operand), place.Type, (int)place.Rows, (int)place.Columns);
    }

    /// <summary>The rows that the op accesses of a tensor that is an object of its own.</summary>
    public Tensor AccessedRows(Operand operand)
    {
        var place = program.Places[operand];
        return new Tensor(
            Accessed(place.Role),
            place.Type,
            checked((int)(AccessedLength(place.Role) / (place.Columns * place.Type.Size()))),
            (int)place.Columns
        );
    }

    /// <summary>Bytes of a tensor.</summary>
    public Bytes SizeOf(Operand operand) => program.Places[operand].Size;

    /// <summary>Role of a tensor's operand.</summary>
    public string Role(Operand operand) => program.Places[operand].Role;

    /// <summary>First row of the chunk in the object that holds its K and V: the window, or a segment of it.</summary>
    private long PieceRow => geometry.WindowRow(op.Chunk!.Value) - (op.Segment is { } segment ? geometry.FirstRow(segment) : 0);

    private nuint Object(in Access access)
    {
        var slot = schedule.Slots[access.Slot];
        return arenas[slot.Arena] + (nuint)slot.Offset.Value;
    }

    private int Find(string role)
    {
        for (int i = 0; i < op.Accesses.Length; i++)
        {
            if (op.Accesses[i].Role == role)
            {
                return i;
            }
        }

        return -1;
    }
}
