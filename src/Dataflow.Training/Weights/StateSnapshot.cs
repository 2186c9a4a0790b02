using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A copy of a run's state in host memory, which is written to disk while training goes on: the memory is taken once, and each copy is made
/// between two steps, on all cores.
/// </summary>
public sealed unsafe class StateSnapshot : IDisposable
{
    private const int PieceElements = 1 << 20;
    private readonly ModelConfig model;
    private readonly Dictionary<ParameterObject, long> offsets = [];
    private readonly Part[] parts;
    private byte* memory;

    /// <summary>Takes the memory; it counts as used from the first copy on.</summary>
    /// <exception cref="OutOfMemoryException">There is not so much.</exception>
    public StateSnapshot(TrainingState live)
    {
        model = live.Model;
        long elements = 0;
        foreach (var weights in ParameterObject.All(model))
        {
            offsets[weights] = elements;
            elements += weights.Layout(model).ElementCount;
        }

        long begin = 0;
        Part Take(IWeightSource source, DType type)
        {
            var part = new Part(this, source, type, begin);
            begin += elements * type.Size();
            return part;
        }

        var w = Take(live.Weights, live.Recipe.Parameters);
        Part[] optimizer = [.. live.Parts.Zip(live.Optimizer.State(live.Recipe), (from, part) => Take(from, part.Type))];
        parts = [w, .. optimizer];
        Length = new Bytes(begin);
        memory = (byte*)NativeMemory.Alloc((nuint)begin);
        State = live with { Weights = w, Parts = optimizer };
    }

    /// <summary>Bytes that it takes.</summary>
    public Bytes Length { get; }

    /// <summary>The state as it was copied last.</summary>
    public TrainingState State { get; }

    /// <summary>Bytes that a snapshot takes.</summary>
    public static Bytes LengthOf(ModelConfig model, Recipe recipe, Optimizer optimizer)
    {
        long elements = ParameterObject.All(model).Sum(o => o.Layout(model).ElementCount);
        return new Bytes(checked(elements * (recipe.Parameters.Size() + optimizer.StateBytes(recipe))));
    }

    /// <summary>Copies the live state; between two steps, and not while the last copy is read.</summary>
    public void Copy()
    {
        var pieces =
            from part in parts
            from weights in ParameterObject.All(model)
            let count = weights.Layout(model).ElementCount
            from piece in Enumerable.Range(0, (int)((count + PieceElements - 1) / PieceElements))
            let first = (long)piece * PieceElements
            select (part, weights, first, (int)Math.Min(PieceElements, count - first));
        Parallel.ForEach(pieces, p => p.part.Fill(p.weights, p.first, p.Item4));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(memory);
        memory = null;
    }

    private sealed class Part(StateSnapshot snapshot, IWeightSource live, DType type, long begin) : IWeightSource
    {
        public ModelConfig Model => snapshot.model;

        public void Fill(ParameterObject weights, long first, int count) => live.Read(weights, first, At(weights, first, count), type);

        public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType wanted) =>
            ElementConversion.Convert(
                At(weights, firstElement, destination.Length / (int)wanted.Size()),
                type.Stored(),
                destination,
                wanted
            );

        private Span<byte> At(ParameterObject weights, long first, int count)
        {
            ObjectDisposedException.ThrowIf(snapshot.memory is null, snapshot);
            return new Span<byte>(snapshot.memory + begin + ((snapshot.offsets[weights] + first) * type.Size()), count * (int)type.Size());
        }
    }
}
