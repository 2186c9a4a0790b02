using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats;

/// <summary>The types in which matrices are written.</summary>
public enum GgufType
{
    /// <summary>fp32.</summary>
    F32,

    /// <summary>fp16.</summary>
    F16,

    /// <summary>bf16.</summary>
    BF16,

    /// <summary>A scale and 32 signed bytes.</summary>
    Q8_0,

    /// <summary>A scale and 32 codes of 4 bits.</summary>
    Q4_0,
}

/// <summary>
/// Writes a model as one GGUF file, its tokenizer and chat template inside. Vectors are in F32; a matrix whose rows are no whole blocks of
/// the type asked for is in F16, as in llama.cpp.
/// </summary>
public static class GgufExport
{
    private const int PieceElements = 1 << 18;

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="weights">The numbers.</param>
    /// <param name="folder">The folder with the tokenizer and the chat template; null: there is none.</param>
    /// <param name="type">Of matrices.</param>
    /// <exception cref="UserErrorException">The format cannot say the model or its tokenizer, or the file cannot be written.</exception>
    public static ModelWritten Write(string path, IWeightSource weights, string? folder, GgufType type)
    {
        ArgumentNullException.ThrowIfNull(weights);
        var model = weights.Model;
        var family = GgufFamily.Of(model);
        var config = ConfigToGguf.Of(model, family);
        var texts = FolderTexts.Read(folder, model);
        var bindings = WeightNames.Enumerate(model).ToDictionary(b => family.NameOf(b.Name), StringComparer.Ordinal);
        GgufTensorToWrite[] tensors =
        [
            .. config.Factors.Select(f => new GgufTensorToWrite(f.Key, [f.Value.Count], BlockFormats.Of(nameof(GgufType.F32)))),
            .. bindings.Select(b => new GgufTensorToWrite(b.Key, b.Value.Shape, FormatOf(b.Value.Shape, type))),
        ];
        KeyValuePair<string, GgufValue>[] values =
        [
            new("general.architecture", new GgufValue.Text(family.Name)),
            new("general.type", new GgufValue.Text("model")),
            new("general.name", new GgufValue.Text(model.Name)),
            new("general.file_type", GgufValue.UInt32(FileType(type))),
            new("general.quantization_version", GgufValue.UInt32(2)),
            .. config.Values,
            .. texts.Values,
        ];
        float scale = ScoreScale.Of(model, family);
        using (var writer = GgufWriter.Create(path, values, tensors))
        {
            foreach (var (name, factors) in config.Factors)
            {
                writer.Write(name, [.. factors]);
            }

            foreach (var (name, binding) in bindings)
            {
                var numbers = new ChangedNumbers(weights, binding, family.ChangeOf(binding.Name))
                {
                    Scale = ScoreScale.IsIn(binding.Name, model) ? scale : 1,
                };
                Write(writer, name, numbers);
            }

            writer.Complete();
        }

        string[] notes = scale == 1 ? [] :
        [
            $"the model {model.Name} scales scores otherwise than readers of GGUF suppose, so that the weights of queries are "
                + $"multiplied by {scale}",
        ];
        return new(model, new Bytes(new FileInfo(path).Length), [Path.GetFileName(path)], [.. notes, .. texts.Notes]);
    }

    private static void Write(GgufWriter writer, string name, ChangedNumbers numbers)
    {
        var binding = numbers.Binding;
        long columns = binding.Shape.Count > 1 ? binding.Shape[^1] : 1;
        long unit = numbers.Change == TensorChange.Neighbours ? numbers.HeadDim * columns : columns;
        long piece = Math.Max(1, PieceElements / unit) * unit;
        var some = new float[Math.Min(piece, binding.ElementCount)];
        for (long done = 0; done < binding.ElementCount; done += piece)
        {
            var part = some.AsSpan(0, (int)Math.Min(piece, binding.ElementCount - done));
            numbers.Read(done, part);
            if (part.ContainsAnyExceptInRange(float.MinValue, float.MaxValue))
            {
                throw new UserErrorException(
                    $"the weight {binding.Name} has a value that is not finite, and nothing is written of such a model; export an earlier "
                        + "checkpoint");
            }

            writer.Write(name, part);
        }
    }

    private static BlockFormat FormatOf(IReadOnlyList<long> shape, GgufType type)
    {
        var format = BlockFormats.Of(shape.Count > 1 ? type.ToString() : nameof(GgufType.F32));
        return shape[^1] % format.Values == 0 ? format : BlockFormats.Of(nameof(GgufType.F16));
    }

    // By these numbers readers tell what most matrices are.
    private static int FileType(GgufType type) => type switch
    {
        GgufType.F32 => 0,
        GgufType.F16 => 1,
        GgufType.Q4_0 => 2,
        GgufType.Q8_0 => 7,
        _ => 32,
    };

    /// <summary>A weight's numbers as the format has them.</summary>
    private sealed class ChangedNumbers(IWeightSource weights, WeightBinding binding, TensorChange change)
    {
        private float[] ordered = [];

        public required float Scale { get; init; }

        public WeightBinding Binding => binding;

        public TensorChange Change => change;

        public int HeadDim => weights.Model.HeadDim;

        /// <summary>Fills with numbers; of a tensor whose rows change their places, those of whole heads.</summary>
        public void Read(long first, Span<float> numbers)
        {
            binding.Read(weights, first, MemoryMarshal.AsBytes(numbers), DType.Float32);
            if (change == TensorChange.Neighbours)
            {
                int head = HeadDim * (binding.Shape.Count > 1 ? (int)binding.Shape[^1] : 1);
                ordered = ordered.Length < numbers.Length ? new float[numbers.Length] : ordered;
                numbers.CopyTo(ordered);
                for (int at = 0; at < numbers.Length; at += head)
                {
                    HeadRows.ToNeighbours(ordered.AsSpan(at, head), numbers.Slice(at, head), HeadDim);
                }
            }

            float more = change == TensorChange.OneMore ? 1 : 0;
            if (more == 0 && Scale == 1)
            {
                return;
            }

            foreach (ref float number in numbers)
            {
                number = (number + more) * Scale;
            }
        }
    }
}
