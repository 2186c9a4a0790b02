using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The folder of --export.</summary>
internal static class ExportFolder
{
    // What programs keep models in. Other files in the folder (a README, tokens) are left alone by an export.
    private static readonly string[] ModelFiles =
    [
        "config.json",
        "adapter_config.json",
        "*.safetensors",
        "*.safetensors.index.json",
        "*.gguf",
        "pytorch_model*",
        "state.json",
    ];

    /// <summary>Makes it, and refuses one that cannot be written to or that holds what must not be lost.</summary>
    /// <exception cref="UserErrorException">It does.</exception>
    public static void Prepare(TrainingOptions settings, ModelSource source, Recipe recipe)
    {
        if (settings.Export is not { } folder)
        {
            return;
        }

        string export = RealPath.Of(folder);
        string? named = ModelSource.Locate(settings.Plan.Model);
        if (
            new[] { source.Folder, Directory.Exists(named) ? named : null }.FirstOrDefault(s =>
                s is not null && RealPath.Of(s) == export
            ) is
            { } read
        )
        {
            throw new UserErrorException(
                $"--export {folder} is the folder {read} that this run reads its weights from, and would destroy it; give another one"
            );
        }

        if (
            new[] { settings.Checkpoint, settings.Resumed?.Folder }.FirstOrDefault(s =>
                s is not null && IsIn(export, RealPath.Of(s))
            ) is
            { } checkpoints
        )
        {
            throw new UserErrorException(
                $"--export {folder} is in the folder of checkpoints {checkpoints}, where old ones are removed; give another one"
            );
        }

        if (!settings.Overwrite && Existing(folder) is { } name)
        {
            throw new UserErrorException(
                $"--export {folder} holds a model already ({name}), which would be replaced; give another folder, or --overwrite"
            );
        }

        if (source.Model.Adapter is not null)
        {
            AdapterExport.Prepare(folder, source.Model, AdapterType(settings));
            return;
        }

        ModelExport.Prepare(folder, source.Model, recipe.Parameters, Options(settings));
    }

    /// <summary>The type of an adapter's numbers: fp32, as PEFT has them, unless another was asked for.</summary>
    /// <exception cref="UserErrorException">It is none of an adapter's.</exception>
    public static DType AdapterType(TrainingOptions settings) =>
        settings.ExportType switch
        {
            null or StoredType.F32 => DType.Float32,
            StoredType.BF16 => DType.BFloat16,
            _ => throw new UserErrorException("--export-dtype: an adapter is exported in fp32 or bf16; give one of these"),
        };

    /// <summary>In what form: that of the folder that the model was first read from, if it was one with weights.</summary>
    public static ExportOptions Options(TrainingOptions settings)
    {
        string? named = ModelSource.Locate(settings.Plan.Model);
        string[] weights = [Checkpoint.FileName, Checkpoint.IndexName];
        return new ExportOptions
        {
            Source = named is not null && weights.Any(w => File.Exists(Path.Combine(named, w))) ? named : null,
            Type = settings.ExportType,
            Shard = settings.ExportShard,
        };
    }

    private static bool IsIn(string path, string folder) =>
        path == folder || path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>What of a model a folder holds; null: nothing.</summary>
    public static string? Existing(string folder) =>
        !Directory.Exists(folder)
            ? null
            : ModelFiles
                .SelectMany(pattern => Directory.EnumerateFiles(folder, pattern))
                .Select(Path.GetFileName)
                .Order(StringComparer.Ordinal)
                .FirstOrDefault();
}
