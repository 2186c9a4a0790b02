using System.Globalization;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>
/// First or second moments by weight, wherever the plan keeps the pieces of optimizer state ("O/L05/P3": the piece's first moments, then
/// its second). Elements are those of the parameter object.
/// </summary>
internal sealed class ObjectMoments : IWeightSource
{
    private readonly StepState state;
    private readonly DType stored;
    private readonly bool second;
    private readonly StoredObjects objects;
    private readonly Dictionary<string, long[]> pieces;

    public ObjectMoments(Schedule schedule, StepState state, ModelConfig model, StoredObjects objects, DType stored, bool second)
    {
        (this.state, Model, this.objects, this.stored, this.second) = (state, model, objects, stored, second);
        pieces = schedule.Objects.Where(o => o.Name.StartsWith("O/", StringComparison.Ordinal))
            .Select(o => (Parts: o.Name.Split('/'), Elements: o.Length.Value / 2 / stored.Size()))
            .GroupBy(o => string.Join('/', o.Parts[1..^1]))
            .ToDictionary(g => g.Key, g => g.OrderBy(o => int.Parse(o.Parts[^1].AsSpan(1), CultureInfo.InvariantCulture)).Select(o => o.Elements).ToArray());
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
            state.Read(part.Name, part.Offset, staging.AsSpan(part.Position * size, part.Count * size));
        }

        ElementConversion.Convert(staging, stored.Stored(), destination, type);
    }

    /// <summary>Sets consecutive elements, given in the stored type.</summary>
    public void Write(ParameterObject weights, long firstElement, ReadOnlySpan<byte> elements)
    {
        int size = (int)stored.Size();
        foreach (var part in Parts(weights, firstElement, elements.Length / size))
        {
            state.Write(part.Name, part.Offset, elements.Slice(part.Position * size, part.Count * size));
        }
    }

    private IEnumerable<(string Name, Bytes Offset, int Position, int Count)> Parts(ParameterObject weights, long first, int count)
    {
        foreach (var item in objects.Of(weights))
        {
            long begin = item.FirstElement;
            for (int p = 0; p < pieces[item.Name].Length; p++)
            {
                long length = pieces[item.Name][p];
                long from = Math.Max(first, begin), to = Math.Min(first + count, begin + length);
                if (from < to)
                {
                    long element = from - begin + (second ? length : 0);
                    yield return (string.Create(CultureInfo.InvariantCulture, $"O/{item.Name}/P{p}"), new Bytes(element * stored.Size()), (int)(from - first), (int)(to - from));
                }

                begin += length;
            }
        }
    }
}
