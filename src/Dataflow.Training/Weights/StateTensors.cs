using System.Buffers;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The tensors of one part of an optimizer's state, as checkpoints have them. Numbers of each weight have the weight's name and shape; what
/// lies in blocks is a list of numbers in the order of memory.
/// </summary>
internal sealed class StateTensors
{
    private const int PieceElements = 1 << 18;
    private readonly StatePart part;

    public StateTensors(ModelConfig model, Optimizer optimizer, Recipe recipe, StatePart part)
    {
        (Model, this.part) = (model, part);
        Bindings =
        [
            .. RunTensors.Of(model).Where(b => Has(b.Tensor.Spec, b.Part)),
        ];
        bool Has(ParameterSpec spec, WeightPart tensor) =>
            spec.IsTrained ? optimizer.UpdateOf(spec, tensor, recipe).Parts.Contains(part) : part.BeginsAsWeights;
    }

    /// <summary>Whose weights they belong to.</summary>
    public ModelConfig Model { get; }

    /// <summary>The weights that have this part, in the order of checkpoints.</summary>
    public IReadOnlyList<WeightBinding> Bindings { get; }

    /// <summary>As a file holds them.</summary>
    public IReadOnlyList<TensorToWrite> ToWrite =>
        [.. Bindings.Select(b => new TensorToWrite(b.Name, IsList ? [ValuesOf(b)] : b.Shape, part.Type))];

    /// <summary>Bytes of all numbers.</summary>
    public Bytes Length => new(Bindings.Sum(b => part.SizeOf(b.ElementCount).Value));

    private bool IsList => part.ElementsPerValue > 1 || part.Type is not (DType.Float32 or DType.BFloat16);

    /// <summary>The numbers of a weight that begin with so many elements of it.</summary>
    public long ValuesOf(WeightBinding tensor) => (tensor.ElementCount + part.ElementsPerValue - 1) / part.ElementsPerValue;

    /// <summary>Elements of a weight, so many at a time, of whole blocks.</summary>
    public static IEnumerable<(long First, int Count)> Pieces(WeightBinding tensor) => WeightLoading.Pieces(tensor.ElementCount);

    /// <summary>Writes all of them, a piece at a time.</summary>
    /// <exception cref="OperationCanceledException">That was asked for, between two pieces.</exception>
    public void Fill(SafetensorsWriter writer, IWeightSource state, CancellationToken cancel)
    {
        byte[] staging = ArrayPool<byte>.Shared.Rent(PieceElements * (int)part.Type.Size());
        try
        {
            foreach (var tensor in Bindings)
            {
                for (long done = 0; done < tensor.ElementCount; done += PieceElements)
                {
                    cancel.ThrowIfCancellationRequested();
                    long count = Math.Min(PieceElements, tensor.ElementCount - done);
                    var values = staging.AsSpan(0, (int)part.SizeOf(count).Value);
                    if (IsList)
                    {
                        state.Read(tensor.Object, tensor.ElementOffset + done, values, part.Type);
                    }
                    else
                    {
                        tensor.Read(state, done, values, part.Type);
                    }

                    writer.Write(tensor.Name, values, part.Type);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(staging);
        }
    }

    /// <summary>Brings them where they belong, each in the order of its elements: files are read once, and checked on the way.</summary>
    public void Load(IWeightSource from, ElementWriter write)
    {
        byte[] staging = new byte[WeightLoading.PieceElements * part.Type.Size()];
        foreach (var tensor in Bindings)
        {
            foreach (var (first, count) in Pieces(tensor))
            {
                var values = staging.AsSpan(0, (int)part.SizeOf(count).Value);
                from.Read(tensor.Object, tensor.ElementOffset + first, values, part.Type);
                write(tensor.Object, tensor.ElementOffset + first, values);
            }
        }
    }

    /// <summary>The numbers in a file, which must be these tensors and no others.</summary>
    /// <exception cref="UserErrorException">It holds others.</exception>
    public IWeightSource Of(Checkpoint file)
    {
        file.CheckIsOf(Model, Bindings.ToDictionary(b => b.Name, b => IsList ? [ValuesOf(b)] : b.Shape), isState: true);
        return IsList ? new StoredLists(this, file) : RunTensors.Of(file, Model);
    }

    /// <summary>Numbers in the order of memory.</summary>
    private sealed class StoredLists(StateTensors tensors, Checkpoint file) : IWeightSource
    {
        private readonly ILookup<ParameterObject, WeightBinding> bindings = tensors.Bindings.ToLookup(b => b.Object);

        public ModelConfig Model => tensors.Model;

        public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
        {
            var tensor = bindings[weights].Last(b => b.ElementOffset <= firstElement);
            long value = (firstElement - tensor.ElementOffset) / tensors.part.ElementsPerValue;
            file.Tensors[tensor.Name].ReadStored(value, destination);
        }
    }
}
