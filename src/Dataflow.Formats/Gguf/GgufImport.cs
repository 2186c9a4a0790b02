using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats;

/// <summary>How a GGUF file is imported.</summary>
public sealed record GgufImportOptions
{
    /// <summary>
    /// The type of all numbers, F32, BF16 or F16; null: as they are where that is one of these, and F32 of what is quantised, in which no
    /// number is rounded.
    /// </summary>
    public StoredType? Type { get; init; }

    /// <summary>A model that the folder holds may be replaced.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>What an import or an export made.</summary>
/// <param name="Model">Its sizes.</param>
/// <param name="Size">Of all files.</param>
/// <param name="Files">Their names, in the order in which they were written.</param>
/// <param name="Notes">Sentences for whoever uses it.</param>
public sealed record ModelWritten(ModelConfig Model, Bytes Size, IReadOnlyList<string> Files, IReadOnlyList<string> Notes);

/// <summary>
/// Makes a Hugging Face folder of a GGUF file: config.json, model.safetensors, and tokenizer.json, tokenizer_config.json and
/// chat_template.jinja where the file has them.
/// </summary>
public static class GgufImport
{
    private static readonly Dictionary<string, string> s_metadata = new() { ["format"] = "pt" };

    /// <summary>Writes the folder, each file whole or not at all, the config last.</summary>
    /// <param name="path">The file, or any part of one in several.</param>
    /// <param name="folder">Made if need be.</param>
    /// <param name="options">What was asked for.</param>
    /// <exception cref="UserErrorException">The file cannot be read or used, or the folder cannot be written.</exception>
    public static ModelWritten Write(string path, string folder, GgufImportOptions options)
    {
        using var file = GgufFile.Open(path);
        var source = GgufModel.Read(file);
        var texts = TokenizerFromGguf.Files(file.Metadata);
        Prepare(folder, options.Overwrite);
        string weights = Path.Combine(folder, Checkpoint.FileName);
        var made = new List<string>();
        WriteWeights(weights, source, options.Type);
        made.Add(weights);

        // Of the two, what was there before would be read in place of this one.
        File.Delete(Path.Combine(folder, Checkpoint.IndexName));
        var type = options.Type ?? source.Tensors.Where(t => t.Tensor.Shape.Count > 1).CountBy(t => TypeOf(t.Tensor))
            .MaxBy(t => t.Value).Key;
        foreach (var (name, text) in texts.Append(new(ModelFiles.ConfigName, source.Config(NameOf(type)))))
        {
            AtomicFile.WriteText(Path.Combine(folder, name), text);
            made.Add(Path.Combine(folder, name));
        }

        return new(source.Model, new Bytes(made.Sum(f => new FileInfo(f).Length)), [.. made.Select(f => Path.GetFileName(f)!)], []);
    }

    private static void Prepare(string folder, bool overwrite)
    {
        string[] kept = [ModelFiles.ConfigName, Checkpoint.FileName, Checkpoint.IndexName, "tokenizer.json"];
        if (!overwrite && kept.FirstOrDefault(n => File.Exists(Path.Combine(folder, n))) is { } name)
        {
            throw new UserErrorException(
                $"{folder} holds a model already ({name}), which would be replaced; give another folder, or --overwrite");
        }

        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (FileErrors.IsFileError(e) || e is ArgumentException)
        {
            throw FileErrors.Unwritable(folder, e);
        }
    }

    private static void WriteWeights(string path, GgufModel source, StoredType? type)
    {
        var tensors = source.Tensors.OrderBy(t => t.Weight.Name, StringComparer.Ordinal).ToList();
        using var writer = SafetensorsWriter.Create(
            path, [.. tensors.Select(t => new TensorToWrite(t.Weight.Name, t.Weight.Shape, type ?? TypeOf(t.Tensor)))], s_metadata);
        byte[] piece = [];
        foreach (var (weight, tensor) in tensors)
        {
            var stored = type ?? TypeOf(tensor);
            var format = BlockFormats.Of(stored.ToString());
            source.Read(weight, tensor, numbers =>
            {
                int bytes = numbers.Length * format.Bytes;
                piece = piece.Length < bytes ? new byte[bytes] : piece;
                format.Quantize(numbers, piece.AsSpan(0, bytes));
                writer.WriteStored(weight.Name, piece.AsSpan(0, bytes));
            });
        }

        if (writer.NotFinite.Count > 0)
        {
            bool isNarrow = type == StoredType.F16;
            throw new UserErrorException(
                $"{source.File.Path} cannot be imported{(isNarrow ? " in F16" : "")}: {writer.NotFinite[0]} has values that are not "
                    + "finite; " + (isNarrow ? "give --dtype F32" : "the file is damaged, or of a run that diverged"));
        }

        writer.Complete();
    }

    private static StoredType TypeOf(GgufTensor tensor) => tensor.TypeName switch
    {
        "BF16" => StoredType.BF16,
        "F16" => StoredType.F16,
        _ => StoredType.F32,
    };

    private static string NameOf(StoredType type) => type switch
    {
        StoredType.BF16 => "bfloat16",
        StoredType.F16 => "float16",
        _ => "float32",
    };
}
