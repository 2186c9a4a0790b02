using System.Buffers;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Saves a model's weights, from wherever they are, as other programs expect them.</summary>
public static class CheckpointWriter
{
    private const int PieceElements = 1 << 18;

    /// <summary>
    /// Writes one safetensors file with the tensors of <see cref="WeightNames"/>, or of a model's adapter. All or nothing, as
    /// <see cref="AtomicFile"/>; values that are not finite are of no use to anyone, and nothing is written of them.
    /// </summary>
    /// <param name="path">Its final name; the folder must exist.</param>
    /// <param name="weights">The values.</param>
    /// <param name="type">Of the numbers in the file: fp32 or bf16.</param>
    /// <param name="metadata">Free text for the head.</param>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    /// <exception cref="NotFiniteException">Some value is not finite.</exception>
    public static void Write(string path, IWeightSource weights, DType type, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var writer = SafetensorsWriter.Create(path, Tensors(weights.Model, type), metadata);
        Fill(writer, weights, type, CancellationToken.None);
        Complete(writer, path);
    }

    /// <summary>Gives a file that is written whole its name, unless some of it is not finite.</summary>
    /// <exception cref="NotFiniteException">Some value is not finite.</exception>
    internal static void Complete(SafetensorsWriter writer, string path)
    {
        if (writer.NotFinite.Count > 0)
        {
            throw new NotFiniteException(
                $"{path} was not written: {NotFiniteException.Describe(writer.NotFinite)}; the run has diverged, or began from such "
                    + "values: go on from an earlier checkpoint, or with a smaller --lr");
        }

        writer.Complete();
    }

    /// <summary>The tensors of a model as a file of that type holds them.</summary>
    internal static IReadOnlyList<TensorToWrite> Tensors(ModelConfig model, DType type) =>
        [.. RunTensors.Of(model).Select(b => new TensorToWrite(b.Name, b.Shape, type))];

    /// <summary>Writes all tensors of a model, a piece at a time.</summary>
    /// <exception cref="OperationCanceledException">That was asked for, between two pieces.</exception>
    internal static void Fill(SafetensorsWriter writer, IWeightSource weights, DType type, CancellationToken cancel)
    {
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceElements * (int)type.Size());
        try
        {
            foreach (var binding in RunTensors.Of(weights.Model))
            {
                for (long done = 0; done < binding.ElementCount; done += PieceElements)
                {
                    cancel.ThrowIfCancellationRequested();
                    int count = (int)Math.Min(PieceElements, binding.ElementCount - done);
                    var elements = piece.AsSpan(0, count * (int)type.Size());
                    binding.Read(weights, done, elements, type);
                    writer.Write(binding.Name, elements, type);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    /// <summary>
    /// Refuses, before any work is done for it, a file that <see cref="Write"/> could not write now: no such folder, no permission, too
    /// little room. Writes nothing that remains.
    /// </summary>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public static void CheckWritable(string path, ModelConfig model, DType type) =>
        AtomicFile.Create(path, new Bytes(RunTensors.Of(model).Sum(b => b.ElementCount) * type.Size())).Dispose();
}
