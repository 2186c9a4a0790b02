using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Finds and reads the files that describe a model.</summary>
public static class ModelFiles
{
    /// <summary>The config's name inside a model's folder.</summary>
    public const string ConfigName = "config.json";

    // Some quantised models say so there and not in their config.
    private const string QuantisationName = "hf_quant_config.json";

    private static readonly Bytes LargestConfig = new(4 << 20);

    /// <summary>
    /// The config in a .json file, or in the config.json of a folder. Its name, if the file gives none, is the folder's (for a
    /// config.json) or the file's without its ending.
    /// </summary>
    /// <exception cref="UserErrorException">Nothing there, not readable, or not a model that can be trained.</exception>
    public static ModelConfig LoadConfig(string path) => Read(path).Config;

    /// <summary>As <see cref="LoadConfig"/>, with what there is to say about the file.</summary>
    /// <exception cref="UserErrorException">Nothing there, not readable, or not a model that can be trained.</exception>
    public static ModelReading Read(string path)
    {
        string file = path;
        if (Directory.Exists(path))
        {
            file = Path.Combine(path, ConfigName);
            if (!File.Exists(file))
            {
                throw new UserErrorException($"{path} is not a model: the folder holds no {ConfigName}");
            }
        }

        string quantised = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, QuantisationName);
        bool quantisedBeside = Path.GetFileName(file) == ConfigName && File.Exists(quantised);
        if (quantisedBeside && !Fp8Weights.IsModelOptFp8(ReadOnlyFile.ReadText(quantised, LargestConfig)))
        {
            throw new UserErrorException(
                $"{file} cannot be used: {QuantisationName} beside it says that the weights are quantised, and these cannot be trained"
            );
        }

        string text = ReadOnlyFile.ReadText(file, LargestConfig);
        var read = ModelConfigReader.Read(text, NameOf(file), file);
        string note = $"{file}: {Fp8Weights.Note}";
        return quantisedBeside && !read.Notes.Contains(note) ? read with { Notes = [.. read.Notes, note] } : read;
    }

    /// <summary>The size of an fp8 checkpoint's blocks, if the config in its folder says it.</summary>
    internal static (long Rows, long Columns)? Fp8Block(string checkpoint)
    {
        string config = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(checkpoint))!, ConfigName);
        return File.Exists(config) ? Fp8Weights.BlockOf(ReadOnlyFile.ReadText(config, LargestConfig)) : null;
    }

    private static string NameOf(string file)
    {
        string full = Path.GetFullPath(file);
        string? folder = Path.GetFileName(Path.GetDirectoryName(full));
        return Path.GetFileName(full) == ConfigName && !string.IsNullOrEmpty(folder) ? folder : Path.GetFileNameWithoutExtension(full);
    }
}
