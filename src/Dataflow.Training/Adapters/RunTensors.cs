using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The tensors that a run changes and its checkpoints hold, by the names in their files: all of a model's; of one with an adapter those
/// of the adapter alone, as PEFT names them, for the base stays what it is.
/// </summary>
internal static class RunTensors
{
    /// <summary>All of them, in the order of the model's.</summary>
    public static IReadOnlyList<WeightBinding> Of(ModelConfig model)
    {
        var all = WeightNames.Enumerate(model);
        return model.Adapter is null
            ? all
            : [.. all.Where(b => b.Tensor.Spec.IsTrained).Select(b => b with { Name = InFile(b) })];
    }

    /// <summary>The file of a run's weights.</summary>
    public static string FileName(bool isAdapter) => isAdapter ? AdapterFolder.WeightsName : Checkpoint.FileName;

    /// <summary>Numbers of a run's tensors from a file that holds them and no others.</summary>
    /// <param name="file">Shapes were checked.</param>
    /// <param name="model">Of the run.</param>
    public static IWeightSource Of(Checkpoint file, ModelConfig model) =>
        new CheckpointWeights(model.Adapter is null ? file : file.Named(NamesIn(model)), model);

    /// <summary>The model's own names of what an adapter's files call otherwise.</summary>
    private static Dictionary<string, string> NamesIn(ModelConfig model) =>
        WeightNames.Enumerate(model).Where(b => b.Tensor.Spec.IsTrained).ToDictionary(InFile, b => b.Name);

    private static string InFile(WeightBinding tensor) =>
        tensor.Tensor.Name.IsOfAdapter() ? tensor.Name : LayerAdapter.NameOfSaved(tensor.Name);
}
