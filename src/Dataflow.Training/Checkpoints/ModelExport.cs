using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>How a model is exported.</summary>
public sealed record ExportOptions
{
    /// <summary>The folder that the model was read from, whose form the export has; null: there is none.</summary>
    public string? Source { get; init; }

    /// <summary>The type of numbers; null: that of the source, tensor by tensor, or of the run's parameters.</summary>
    public StoredType? Type { get; init; }

    /// <summary>Most bytes of tensors in a file; null: 5 GB, as the hub has them.</summary>
    public Bytes? Shard { get; init; }
}

/// <summary>
/// Writes a model's folder so that programs that read the one it came from read this one: the same tensors by the same names, the same
/// config and tokenizer, and weights as training left them. A weight that training did not move is the source's, bit for bit, whatever
/// the recipe. A source in fp8 has one in bf16, without what says how it was quantised.
/// </summary>
public static class ModelExport
{
    private const int PieceElements = 1 << 18;
    private static readonly Dictionary<string, string> s_metadata = new() { ["format"] = "pt" };
    private static readonly Bytes s_largestText = new(256 << 20);

    // What belongs to a model besides its weights and config; the rest of a folder (tokens, results, READMEs) does not.
    private static readonly string[] s_companions =
    [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
        "tokenizer.model", "spiece.model", "tekken.json", "tiktoken.model", "chat_template.jinja", "chat_template.json",
        "generation_config.json", "preprocessor_config.json", "processor_config.json",
    ];

    /// <summary>Makes the folder and refuses one that could not be filled.</summary>
    /// <exception cref="UserErrorException">It cannot be made or written to, or the disk has too little room.</exception>
    public static void Prepare(string folder, ModelConfig model, DType own, ExportOptions options)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (FileErrors.IsFileError(e) || e is ArgumentException)
        {
            throw FileErrors.Unwritable(folder, e);
        }

        using var source = OpenSource(options);
        var shards = Shards(model, source, own, options);
        AtomicFile.Create(Path.Combine(folder, Checkpoint.FileName), new Bytes(shards.Sum(s => s.Tensors.Sum(t => t.Size)))).Dispose();
        AtomicFile.Create(Path.Combine(folder, ModelFiles.ConfigName)).Dispose();
    }

    /// <summary>Writes the folder, each file all or nothing, the config last.</summary>
    /// <param name="folder">Made if need be.</param>
    /// <param name="weights">As training left them: masters, where there are any.</param>
    /// <param name="own">What the run stores parameters in.</param>
    /// <param name="options">What was asked for.</param>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    /// <exception cref="NotFiniteException">Some value is not finite.</exception>
    public static void Write(string folder, IWeightSource weights, DType own, ExportOptions options)
    {
        ArgumentNullException.ThrowIfNull(weights);
        Prepare(folder, weights.Model, own, options);
        using var source = OpenSource(options);
        var shards = Shards(weights.Model, source, own, options);
        foreach (var shard in shards)
        {
            WriteShard(Path.Combine(folder, shard.FileName), shard, weights, own);
        }

        if (shards.Count > 1)
        {
            AtomicFile.WriteText(Path.Combine(folder, Checkpoint.IndexName), Index(shards));
        }

        // Of the two, what an earlier export left would be read in place of this one.
        File.Delete(Path.Combine(folder, shards.Count > 1 ? Checkpoint.FileName : Checkpoint.IndexName));

        string[] companions = options.Source is { } from ? [.. s_companions.Select(n => Path.Combine(from, n)).Where(File.Exists)] : [];
        foreach (string companion in companions)
        {
            byte[] bytes = ReadOnlyFile.ReadBytes(companion, s_largestText);
            using var file = AtomicFile.Create(Path.Combine(folder, Path.GetFileName(companion)));
            file.Write(bytes);
            file.Commit();
        }

        AtomicFile.WriteText(Path.Combine(folder, ModelFiles.ConfigName), Config(weights.Model, options));
    }

    private static Checkpoint? OpenSource(ExportOptions options) => options.Source is { } folder ? Checkpoint.Open(folder) : null;

    private static IReadOnlyList<ExportedShard> Shards(ModelConfig model, Checkpoint? source, DType own, ExportOptions options)
    {
        source?.Check(model);
        return ExportPlan.Of(model, source, options.Type, own.Stored(), options.Shard ?? ExportPlan.DefaultShard);
    }

    private static void WriteShard(string path, ExportedShard shard, IWeightSource weights, DType own)
    {
        using var writer = SafetensorsWriter.Create(
            path, [.. shard.Tensors.Select(t => new TensorToWrite(t.Name, t.Shape, t.Type))], s_metadata);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(PieceElements * sizeof(double)); // the widest that is copied as it stands
        float[] now = ArrayPool<float>.Shared.Rent(PieceElements), before = ArrayPool<float>.Shared.Rent(PieceElements);
        try
        {
            foreach (var tensor in shard.Tensors)
            {
                long count = tensor.Size / tensor.Type.Size();
                for (long done = 0; done < count; done += PieceElements)
                {
                    int some = (int)Math.Min(PieceElements, count - done);
                    var piece = bytes.AsSpan(0, some * (int)tensor.Type.Size());
                    if (tensor.Binding is not { } binding)
                    {
                        ReadOther(tensor, done, piece);
                    }
                    else
                    {
                        ReadNumbers(binding, weights, done, now.AsSpan(0, some));
                        if (tensor.Source is { } source)
                        {
                            source.ReadElements(done, MemoryMarshal.AsBytes(before.AsSpan(0, some)), DType.Float32);
                            if (own == DType.BFloat16)
                            {
                                ElementConversion.KeepUnmoved(now.AsSpan(0, some), before.AsSpan(0, some));
                            }
                        }

                        ElementConversion.FromFloats(now.AsSpan(0, some), piece, tensor.Type);
                    }

                    writer.WriteStored(tensor.Name, piece);
                }
            }

            CheckpointWriter.Complete(writer, path);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
            ArrayPool<float>.Shared.Return(now);
            ArrayPool<float>.Shared.Return(before);
        }
    }

    private static void ReadNumbers(WeightBinding binding, IWeightSource weights, long first, Span<float> numbers) =>
        binding.Read(weights, first, MemoryMarshal.AsBytes(numbers), DType.Float32);

    /// <summary>What is no parameter: as it stands, or, if it is quantised, as numbers.</summary>
    private static void ReadOther(ExportedTensor tensor, long first, Span<byte> piece)
    {
        if (tensor.Type == tensor.Source!.Type)
        {
            tensor.Source.ReadStored(first, piece);
        }
        else
        {
            tensor.Source.ReadElements(first, piece, DType.BFloat16);
        }
    }

    private static string Index(IReadOnlyList<ExportedShard> shards)
    {
        var map = new JsonObject();
        var placed = shards.SelectMany(s => s.Tensors.Select(t => (t.Name, s.FileName)));
        foreach (var (name, file) in placed.OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            map[name] = file;
        }

        var index = new JsonObject
        {
            ["metadata"] = new JsonObject { ["total_size"] = shards.Sum(s => s.Tensors.Sum(t => t.Size)) },
            ["weight_map"] = map,
        };
        return index.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n";
    }

    /// <summary>The source's config, every key of it; the type of numbers changes if another was asked for.</summary>
    private static string Config(ModelConfig model, ExportOptions options)
    {
        string text = ModelConfigWriter.Stored(model);
        if (options.Type is not { } type || model.Origin.Source is null)
        {
            return text;
        }

        var config = JsonNode.Parse(text)!.AsObject();
        string word = type switch
        {
            StoredType.BF16 => "bfloat16",
            StoredType.F16 => "float16",
            _ => "float32",
        };
        foreach (var place in new[] { config, config["text_config"] as JsonObject }.OfType<JsonObject>())
        {
            foreach (string key in new[] { "torch_dtype", "dtype" }.Where(place.ContainsKey))
            {
                place[key] = word;
            }
        }

        return config.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n";
    }
}
