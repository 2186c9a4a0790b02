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
    private readonly Part[] parts;
    private byte* memory;

    /// <summary>Takes the memory; it counts as used from the first copy on.</summary>
    /// <exception cref="OutOfMemoryException">There is not so much.</exception>
    public StateSnapshot(TrainingState live)
    {
        model = live.Model;
        long begin = 0;
        Part Take(IWeightSource source, IReadOnlyList<WeightBinding> tensors, DType type, int share)
        {
            var part = new Part(this, source, type, share);
            begin = part.Place(tensors, begin);
            return part;
        }

        var w = Take(live.Weights, RunTensors.Of(model), live.Recipe.Parameters, 1);
        Part[] optimizer =
        [
            .. live.Parts.Zip(
                live.Optimizer.State(live.Recipe),
                (from, part) => Take(from, TensorsOf(live, part), part.Type, part.ElementsPerValue)),
        ];
        parts = [w, .. optimizer];
        Length = new Bytes(begin);
        memory = (byte*)NativeMemory.Alloc((nuint)begin);
        State = live with { Weights = w, Parts = optimizer };
    }

    /// <summary>Bytes that it takes.</summary>
    public Bytes Length { get; }

    /// <summary>The state as it was copied last.</summary>
    public TrainingState State { get; private set; }

    /// <summary>Bytes that a snapshot takes.</summary>
    public static Bytes LengthOf(ModelConfig model, Recipe recipe, Optimizer optimizer) =>
        optimizer.State(recipe).Aggregate(
            recipe.Parameters.SizeOf(RunTensors.Of(model).Sum(t => t.ElementCount)),
            (sum, part) => sum + new StateTensors(model, optimizer, recipe, part).Length);

    /// <summary>Copies the live state; between two steps, and not while the last copy is read.</summary>
    /// <param name="average">How far an average of the weights has come.</param>
    public void Copy(WeightAverage? average)
    {
        State = State with { Average = average };
        Parallel.ForEach(parts.SelectMany(part => part.Pieces), piece => piece.Part.Fill(piece));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(memory);
        memory = null;
    }

    private static IReadOnlyList<WeightBinding> TensorsOf(TrainingState live, StatePart part) =>
        new StateTensors(live.Model, live.Optimizer, live.Recipe, part).Bindings;

    /// <summary>Consecutive elements of an object, and where their numbers begin in the snapshot.</summary>
    private readonly record struct Piece(Part Part, ParameterObject Weights, long First, int Count, long Offset);

    private sealed class Part(StateSnapshot snapshot, IWeightSource live, DType type, int share) : IWeightSource
    {
        private readonly Dictionary<ParameterObject, List<(long First, long Offset)>> places = [];

        public ModelConfig Model => snapshot.model;

        public List<Piece> Pieces { get; } = [];

        /// <summary>Gives each tensor a place, the first at <paramref name="begin"/>, and returns where the last one ends.</summary>
        public long Place(IReadOnlyList<WeightBinding> tensors, long begin)
        {
            foreach (var tensor in tensors)
            {
                if (!places.TryGetValue(tensor.Object, out var ofObject))
                {
                    places[tensor.Object] = ofObject = [];
                }

                ofObject.Add((tensor.ElementOffset, begin));
                for (long done = 0; done < tensor.ElementCount; done += PieceElements)
                {
                    int count = (int)Math.Min(PieceElements, tensor.ElementCount - done);
                    Pieces.Add(new Piece(this, tensor.Object, tensor.ElementOffset + done, count, begin));
                    begin += Values(count) * type.Size();
                }
            }

            return begin;
        }

        public void Fill(Piece piece) => live.Read(piece.Weights, piece.First, At(piece.Offset, Values(piece.Count)), type);

        /// <summary>Elements of one tensor.</summary>
        public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType wanted)
        {
            var (first, offset) = places[weights].FindLast(p => p.First <= firstElement);
            var stored = At(offset + ((firstElement - first) / share * type.Size()), destination.Length / wanted.Size());
            if (type == wanted)
            {
                stored.CopyTo(destination);
                return;
            }

            ElementConversion.Convert(stored, type.Stored(), destination, wanted);
        }

        private long Values(long elements) => (elements + share - 1) / share;

        private Span<byte> At(long offset, long values)
        {
            ObjectDisposedException.ThrowIf(snapshot.memory is null, snapshot);
            return new Span<byte>(snapshot.memory + offset, (int)(values * type.Size()));
        }
    }
}
