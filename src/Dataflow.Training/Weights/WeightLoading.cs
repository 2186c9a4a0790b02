using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>Writes consecutive elements of a parameter object, given in the type in which they are kept.</summary>
internal delegate void ElementWriter(ParameterObject weights, long firstElement, ReadOnlySpan<byte> elements);

/// <summary>Brings weights into the arenas of a device, on all cores, a piece at a time.</summary>
public static class WeightLoading
{
    /// <summary>Elements, or bytes, at a time.</summary>
    internal const int PieceElements = 1 << 20;

    /// <summary>Writes all parameters of a step that leaves them as they are.</summary>
    /// <param name="workload">What the step is of.</param>
    /// <param name="state">Its objects in the arenas.</param>
    /// <param name="weights">The parameters.</param>
    /// <exception cref="ArgumentException">They are of a model whose parameters lie in another order.</exception>
    public static void Load(Workload workload, StepState state, IWeightSource weights)
    {
        Check(workload.Model, weights);
        var type = workload.Recipe.Parameters;
        var arena = new ObjectWeights(state, workload.Model, new StoredObjects(workload), type, ObjectFamily.Weights);
        Load(workload.Model, weights, type, arena.Write);
        arena.WriteBase(weights);
    }

    /// <summary>Refuses parameters that do not lie as the model's do.</summary>
    /// <exception cref="ArgumentException">They are of a model whose parameters lie in another order.</exception>
    internal static void Check(ModelConfig model, IWeightSource weights)
    {
        if (!ParameterObject.All(model).All(o => Places(o, model).SequenceEqual(Places(o, weights.Model))))
        {
            throw new ArgumentException("the weights are of a model whose parameters lie in another order", nameof(weights));
        }
    }

    /// <summary>Writes all parameters, pieces side by side, but matrices of a base that is stored in a type of its own.</summary>
    internal static void Load(ModelConfig model, IWeightSource weights, DType type, ElementWriter write)
    {
        var pieces = ParameterObject.All(model)
            .SelectMany(o => BaseMatrices.RangesBeside(model, o).Select(r => (Object: o, Range: r)))
            .SelectMany(o => Pieces(o.Range.Count).Select(p => (o.Object, First: o.Range.First + p.First, p.Count)));
        Parallel.ForEach(pieces, () => new byte[PieceElements * type.Size()], (piece, _, staging) =>
        {
            var bytes = staging.AsSpan(0, checked((int)(piece.Count * type.Size())));
            weights.Read(piece.Object, piece.First, bytes, type);
            write(piece.Object, piece.First, bytes);
            return staging;
        }, _ => { });
    }

    /// <summary>Writes all parameters, each object in the order of its elements: files are read once, and checked on the way.</summary>
    internal static void LoadInOrder(ModelConfig model, IWeightSource source, DType type, ElementWriter write)
    {
        byte[] staging = new byte[PieceElements * type.Size()];
        foreach (var weights in ParameterObject.All(model))
        {
            foreach (var (begin, count) in Pieces(weights.Layout(model).ElementCount))
            {
                var bytes = staging.AsSpan(0, checked((int)(count * type.Size())));
                source.Read(weights, begin, bytes, type);
                write(weights, begin, bytes);
            }
        }
    }

    /// <summary>What a run changes, in the order of its files; with an adapter that alone, and the base is there already.</summary>
    internal static void LoadRun(ModelConfig model, IWeightSource source, DType type, ElementWriter write)
    {
        if (model.Adapter is null)
        {
            LoadInOrder(model, source, type, write);
            return;
        }

        byte[] staging = new byte[PieceElements * type.Size()];
        foreach (var tensor in RunTensors.Of(model))
        {
            foreach (var (begin, count) in Pieces(tensor.ElementCount))
            {
                var bytes = staging.AsSpan(0, checked((int)(count * type.Size())));
                source.Read(tensor.Object, tensor.ElementOffset + begin, bytes, type);
                write(tensor.Object, tensor.ElementOffset + begin, bytes);
            }
        }
    }

    /// <summary>Consecutive elements, so many at a time.</summary>
    internal static IEnumerable<(long First, int Count)> Pieces(long elements)
    {
        for (long first = 0; first < elements; first += PieceElements)
        {
            yield return (first, (int)Math.Min(PieceElements, elements - first));
        }
    }

    private static IEnumerable<(WeightName, long)> Places(ParameterObject weights, ModelConfig model) =>
        weights.Layout(model).Tensors.Select(t => (t.Name, t.ElementOffset));
}
