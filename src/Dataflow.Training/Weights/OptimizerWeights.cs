using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>
/// One part of the optimizer's state by weight, wherever the plan keeps its pieces ("O/L05/P3": the parts of the piece one after the
/// other). Elements are those of the parameter object; what is frozen has a state of 0, and its
/// master weights are its parameters.
/// </summary>
internal sealed class OptimizerWeights : IWeightSource
{
    private readonly StepState state;
    private readonly DType stored;
    private readonly long before;
    private readonly IWeightSource? frozen;
    private readonly StoredObjects objects;
    private readonly Dictionary<ParameterOwner, long[]> pieces;

    public OptimizerWeights(
        Schedule schedule,
        StepState state,
        IWeightSource parameters,
        Workload workload,
        StoredObjects objects,
        StatePart part
    )
    {
        (this.state, Model, this.objects) = (state, workload.Model, objects);
        frozen = part.IsMaster ? parameters : null;
        (stored, before) = (part.Type, part.Offset);
        pieces = schedule
            .Objects.Where(o => o.Family == ObjectFamily.Moments)
            .Select(o => (Id: o.Id!.Value, Elements: o.Length.Value / workload.StateBytes))
            .GroupBy(o => o.Id.Owner!.Value)
            .ToDictionary(g => g.Key, g => g.OrderBy(o => o.Id.Piece).Select(o => o.Elements).ToArray());
    }

    /// <inheritdoc/>
    public ModelConfig Model { get; }

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        int size = (int)stored.Size(), count = destination.Length / (int)type.Size();
        byte[] staging = new byte[count * size];
        foreach (var part in Parts(weights, firstElement, count))
        {
            state.Read(part.Id, part.Offset, staging.AsSpan(part.Position * size, part.Count * size));
        }

        ElementConversion.Convert(staging, stored, destination, type);
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

    /// <summary>Sets consecutive elements, given in the stored type.</summary>
    public void Write(ParameterObject weights, long firstElement, ReadOnlySpan<byte> elements)
    {
        int size = (int)stored.Size();
        foreach (var part in Parts(weights, firstElement, elements.Length / size))
        {
            state.Write(part.Id, part.Offset, elements.Slice(part.Position * size, part.Count * size));
        }
    }

    private IEnumerable<(ObjectId Id, Bytes Offset, int Position, int Count)> Parts(ParameterObject weights, long first, int count)
    {
        foreach (var item in objects.Of(weights).Where(item => item.IsTrained))
        {
            long begin = item.FirstElement;
            for (int p = 0; p < pieces[item.Owner].Length; p++)
            {
                long length = pieces[item.Owner][p];
                long from = Math.Max(first, begin),
                    to = Math.Min(first + count, begin + length);
                if (from < to)
                {
                    var offset = new Bytes((length * before) + ((from - begin) * stored.Size()));
                    yield return (
                        new ObjectId(ObjectFamily.Moments) { Owner = item.Owner, Piece = p },
                        offset,
                        (int)(from - first),
                        (int)(to - from)
                    );
                }

                begin += length;
            }
        }
    }
}
