using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>
/// One part of the optimizer's state by weight, wherever the plan keeps its pieces ("O/L05/P3": how the parts of a piece lie in it is
/// <see cref="StateLayout"/>). Elements are those of the parameter object; of weights without this part it is 0, and the master weights of
/// what is frozen are its parameters. Where several elements share a number, there is one for so many elements, from a block's first on.
/// </summary>
internal sealed class OptimizerWeights : IWeightSource
{
    private readonly StepState state;
    private readonly StatePart part;
    private readonly IWeightSource? frozen;
    private readonly StoredObjects objects;
    private readonly Dictionary<ParameterOwner, Run[]> runs;

    /// <param name="pieces">What lies in each piece of the schedule's updates.</param>
    /// <param name="state">The objects in the arenas.</param>
    /// <param name="parameters">The weights that steps read.</param>
    /// <param name="objects">In which objects the schedule holds each parameter object.</param>
    /// <param name="part">Which part.</param>
    public OptimizerWeights(
        ILookup<ParameterOwner, (int Piece, StateSlice Slice)> pieces,
        StepState state,
        IWeightSource parameters,
        StoredObjects objects,
        StatePart part
    )
    {
        (this.state, Model, this.objects, this.part) = (state, parameters.Model, objects, part);
        frozen = part.BeginsAsWeights ? parameters : null;
        runs = pieces.ToDictionary(
            owner => owner.Key,
            owner => (Run[])
            [
                .. from piece in owner
                   let index = piece.Slice.Run.Update.Parts.IndexOf(part)
                   where index >= 0
                   orderby piece.Slice.First
                   select new Run(piece.Piece, piece.Slice.First, piece.Slice.Count, piece.Slice.OffsetOf(index)),
            ]
        );
    }

    /// <inheritdoc/>
    public ModelConfig Model { get; }

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        int size = (int)part.Type.Size(), count = destination.Length / (int)type.Size();
        byte[] staging = new byte[count * size];
        foreach (var place in Places(weights, firstElement, count))
        {
            state.Read(place.Id, place.Offset, staging.AsSpan(place.Position * size, place.Count * size));
        }

        if (part.Type == type)
        {
            staging.CopyTo(destination);
        }
        else
        {
            ElementConversion.Convert(staging, part.Type, destination, type);
        }

        foreach (var item in objects.Of(weights).Where(item => frozen is not null && !item.IsTrained))
        {
            var (first, length) = item.Within(firstElement, count);
            int from = (int)(first - firstElement) * (int)type.Size();
            if (length > 0)
            {
                frozen!.Read(weights, first, destination.Slice(from, length * (int)type.Size()), type);
            }
        }
    }

    /// <summary>Sets consecutive numbers, given in the stored type.</summary>
    public void Write(ParameterObject weights, long firstElement, ReadOnlySpan<byte> values)
    {
        int size = (int)part.Type.Size();
        foreach (var place in Places(weights, firstElement, values.Length / size))
        {
            state.Write(place.Id, place.Offset, values.Slice(place.Position * size, place.Count * size));
        }
    }

    /// <summary>Where consecutive numbers lie.</summary>
    private IEnumerable<(ObjectId Id, Bytes Offset, int Position, int Count)> Places(ParameterObject weights, long first, int values)
    {
        long share = part.ElementsPerValue, end = first + (values * share);
        foreach (var item in objects.Of(weights).Where(item => item.IsTrained && runs.ContainsKey(item.Owner)))
        {
            foreach (var run in runs[item.Owner])
            {
                long begin = item.FirstElement + run.First;
                long from = Math.Max(first, begin), to = Math.Min(end, begin + run.Count);
                if (from < to)
                {
                    yield return (
                        new ObjectId(ObjectFamily.Moments) { Owner = item.Owner, Piece = run.Piece },
                        run.Offset + part.SizeOf(from - begin),
                        (int)((from - first) / share),
                        (int)((to - from + share - 1) / share)
                    );
                }
            }
        }
    }

    /// <summary>Elements of an object whose numbers lie one after the other.</summary>
    private readonly record struct Run(int Piece, long First, long Count, Bytes Offset);
}
