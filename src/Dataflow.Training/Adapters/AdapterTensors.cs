using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>The tensors of a model's adapter: all that is trained.</summary>
internal static class AdapterTensors
{
    /// <summary>With the name that each has in the adapter's file.</summary>
    public static IEnumerable<(string FileName, WeightBinding Binding)> Of(ModelConfig model) =>
        WeightNames
            .Enumerate(model)
            .Where(b => b.Tensor.Spec.IsTrained)
            .Select(b => (b.Tensor.Name.IsOfAdapter() ? b.Name : LayerAdapter.NameOfSaved(b.Name), b));
}
