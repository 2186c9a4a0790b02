using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Writes an adapter's folder as PEFT does, which PEFT and what is built on it read.</summary>
public static class AdapterExport
{
    private static readonly Dictionary<string, string> s_metadata = new() { ["format"] = "pt" };

    /// <summary>Makes the folder and refuses one that could not be filled.</summary>
    /// <exception cref="UserErrorException">It cannot be made or written to, or the disk has too little room.</exception>
    public static void Prepare(string folder, ModelConfig model, DType type)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (FileErrors.IsFileError(e) || e is ArgumentException)
        {
            throw FileErrors.Unwritable(folder, e);
        }

        CheckpointWriter.CheckWritable(Path.Combine(folder, AdapterFolder.WeightsName), model, type);
        AtomicFile.Create(Path.Combine(folder, AdapterConfigFile.FileName)).Dispose();
    }

    /// <summary>Writes it, each file all or nothing, the config last.</summary>
    /// <param name="folder">Made if need be.</param>
    /// <param name="weights">Of a model with an adapter.</param>
    /// <param name="type">Of the numbers.</param>
    /// <param name="baseModel">What the base model is called: a path, or a name of the hub.</param>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    /// <exception cref="NotFiniteException">Some value is not finite.</exception>
    public static void Write(string folder, IWeightSource weights, DType type, string baseModel)
    {
        ArgumentNullException.ThrowIfNull(weights);
        Prepare(folder, weights.Model, type);
        CheckpointWriter.Write(Path.Combine(folder, AdapterFolder.WeightsName), weights, type, s_metadata);
        AtomicFile.WriteText(Path.Combine(folder, AdapterConfigFile.FileName), ConfigOf(weights.Model, baseModel));
    }

    /// <summary>The text of the config.</summary>
    internal static string ConfigOf(ModelConfig model, string baseModel) =>
        AdapterConfigFile.Write(model, baseModel) + "\n";
}
