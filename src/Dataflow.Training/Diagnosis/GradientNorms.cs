using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>The norms of a step's gradients, of which the device keeps the square of each parameter object's, in fp64.</summary>
internal sealed class GradientNorms
{
    private readonly StepState state;
    private readonly double[] squares;
    private readonly (ParameterOwner Owner, int Index)[] owners;

    public GradientNorms(Schedule schedule, StepState state)
    {
        this.state = state;
        squares = new double[(schedule.Objects.FirstOrDefault(o => o.Family == ObjectFamily.Norms)?.Length.Value ?? 0) / sizeof(double)];
        owners =
        [
            .. schedule
                .Ops.Where(op => op.Kind == OpKind.Norm)
                .Select(op => (
                    schedule.Objects[op.Accesses.Single(a => a.Role == Roles.Gradients).Object].Id!.Value.Owner!.Value,
                    (int)(op.Accesses.Single(a => a.Role == Roles.Norm).Offset.Value / sizeof(double))
                )),
        ];
    }

    /// <summary>Reads those of the step that has run.</summary>
    /// <returns>That of all gradients before clipping; null where the step computes none.</returns>
    public double? Read()
    {
        if (squares.Length == 0)
        {
            return null;
        }

        state.Read(new ObjectId(ObjectFamily.Norms), Bytes.Zero, MemoryMarshal.AsBytes(squares.AsSpan()));
        return Math.Sqrt(squares.Sum());
    }

    /// <summary>Of those read last, the square of the norm of each parameter object.</summary>
    public IEnumerable<(ParameterOwner Owner, double Square)> Squares => owners.Select(o => (o.Owner, squares[o.Index]));
}
