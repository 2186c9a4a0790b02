using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats;

/// <summary>
/// The model in a GGUF file: its config, and its weights by the names and in the order of Hugging Face. They are checked to be all of the
/// model's, and no others.
/// </summary>
internal sealed class GgufModel
{
    private const int PieceElements = 1 << 18;
    private const int MostListed = 5;

    private readonly GgufFamily family;
    private readonly ConfigFromGguf config;

    private GgufModel(GgufFile file, GgufFamily family, ConfigFromGguf config, ModelConfig model)
    {
        File = file;
        this.family = family;
        this.config = config;
        Model = model;
        Tensors = [.. WeightNames.Enumerate(model).Select(b => (b, file.Find(family.NameOf(b.Name))!))];
    }

    /// <summary>The file.</summary>
    public GgufFile File { get; }

    /// <summary>Its sizes.</summary>
    public ModelConfig Model { get; }

    /// <summary>All its tensors, each with the weight that it is.</summary>
    public IReadOnlyList<(WeightBinding Weight, GgufTensor Tensor)> Tensors { get; }

    /// <summary>Reads the config and checks the tensors against it.</summary>
    /// <exception cref="UserErrorException">It is of no architecture that is read, or not whole.</exception>
    public static GgufModel Read(GgufFile file)
    {
        var factors = new Dictionary<string, IReadOnlyList<float>>();
        foreach (string name in GgufPositions.Tensors)
        {
            if (file.Find(name) is { } tensor)
            {
                factors[name] = Factors(file, tensor);
            }
        }

        if (factors.ContainsKey(GgufPositions.LongFactors) != factors.ContainsKey(GgufPositions.ShortFactors))
        {
            throw new UserErrorException(
                $"{file.Path} has one of {GgufPositions.ShortFactors} and {GgufPositions.LongFactors}, and needs both; convert it anew");
        }

        var config = new ConfigFromGguf(file.Metadata, name => file.Find(name)?.Shape, factors);
        var model = ModelConfigReader.Parse(
            config.Write("float32"), Path.GetFileNameWithoutExtension(file.Path), $"the metadata of {file.Path}");
        Check(file, config.Family, model);
        return new GgufModel(file, config.Family, config, model);
    }

    /// <summary>The config's text.</summary>
    /// <param name="dtype">What its numbers are stored as: "float32".</param>
    public string Config(string dtype) => config.Write(dtype);

    /// <summary>Gives a weight's numbers as folders have them, in pieces, in order.</summary>
    /// <param name="weight">One of the model's.</param>
    /// <param name="tensor">Where it is.</param>
    /// <param name="take">Gets each piece.</param>
    public void Read(WeightBinding weight, GgufTensor tensor, TakeNumbers take)
    {
        var change = family.ChangeOf(weight.Name);
        long columns = weight.Shape.Count > 1 ? weight.Shape[^1] : 1;
        long piece = change == TensorChange.Neighbours ? Model.HeadDim * columns : PieceElements;
        var numbers = new float[Math.Min(piece, tensor.Count)];
        var ordered = change == TensorChange.Neighbours ? new float[numbers.Length] : [];
        for (long done = 0; done < tensor.Count; done += piece)
        {
            var some = numbers.AsSpan(0, (int)Math.Min(piece, tensor.Count - done));
            tensor.Read(done, some);
            switch (change)
            {
                case TensorChange.Neighbours:
                    HeadRows.ToHalves(some, ordered, Model.HeadDim);
                    take(ordered.AsSpan(0, some.Length));
                    continue;
                case TensorChange.OneMore:
                    foreach (ref float number in some)
                    {
                        number -= 1;
                    }

                    break;
            }

            take(some);
        }
    }

    private static void Check(GgufFile file, GgufFamily family, ModelConfig model)
    {
        var wanted = WeightNames.Enumerate(model).ToDictionary(b => family.NameOf(b.Name), b => b.Shape, StringComparer.Ordinal);
        string[] missing = [.. wanted.Keys.Where(n => file.Find(n) is null)];
        string[] others =
        [
            .. file.Tensors.Select(t => t.Name).Where(n => !wanted.ContainsKey(n) && !GgufPositions.Tensors.Contains(n))
                .Select(GgufHeader.Shown),
        ];
        string[] wrong =
        [
            .. wanted.Select(w => (w.Key, w.Value, Tensor: file.Find(w.Key)))
                .Where(w => w.Tensor is not null && !w.Tensor.Shape.SequenceEqual(w.Value))
                .Select(w => $"{w.Key} has shape [{string.Join(", ", w.Tensor!.Shape)}] instead of [{string.Join(", ", w.Value)}]"),
        ];
        string[] faults =
        [
            .. new[] { Listed("missing: ", missing), Listed("unexpected: ", others), Listed("", wrong) }.OfType<string>(),
        ];
        if (faults.Length > 0)
        {
            throw new UserErrorException(
                $"{file.Path} does not hold the {family.Name} model that its metadata describes; {string.Join("; ", faults)}");
        }
    }

    private static float[] Factors(GgufFile file, GgufTensor tensor)
    {
        const int most = 4096;
        if (tensor.Count > most)
        {
            throw new UserErrorException($"{file.Path}: tensor {tensor.Name} has {tensor.Count} elements, far more than a head has");
        }

        var numbers = new float[tensor.Count];
        tensor.Read(0, numbers);
        return numbers;
    }

    private static string? Listed(string what, string[] items) => items.Length switch
    {
        0 => null,
        <= MostListed => what + string.Join(", ", items),
        _ => $"{what}{string.Join(", ", items.Take(MostListed))} and {items.Length - MostListed} more",
    };
}

/// <summary>Gets a piece of a weight's numbers.</summary>
internal delegate void TakeNumbers(ReadOnlySpan<float> numbers);
