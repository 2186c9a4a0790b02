using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>A tensor of an export.</summary>
/// <param name="Name">In the file.</param>
/// <param name="Shape">In the file.</param>
/// <param name="Type">In the file.</param>
/// <param name="Binding">The parameter that it is; null: it is no parameter of the model, and copied as it stands in the source.</param>
/// <param name="Source">What the model was read from; null: it was made from a seed.</param>
internal sealed record ExportedTensor(
    string Name,
    IReadOnlyList<long> Shape,
    StoredType Type,
    WeightBinding? Binding,
    StoredTensor? Source
)
{
    /// <summary>Its bytes.</summary>
    public long Size => Shape.Aggregate(Type.Size(), (product, dimension) => checked(product * dimension));
}

/// <summary>One file of an export.</summary>
/// <param name="FileName">"model.safetensors", "model-00001-of-00003.safetensors".</param>
/// <param name="Tensors">In file order.</param>
internal sealed record ExportedShard(string FileName, IReadOnlyList<ExportedTensor> Tensors);

/// <summary>
/// Which tensors an export has, of what type, in which files: the source's own, in its order and by its names, with what is no parameter
/// of the model among them, and of one that is quantised the numbers alone; without a source the model's, by its family's names.
/// </summary>
internal static class ExportPlan
{
    /// <summary>Files are as large as the hub's own, if nobody asks for another size.</summary>
    public static readonly Bytes DefaultShard = new(5_000_000_000);

    /// <summary>The files of an export.</summary>
    /// <param name="model">Whose weights they are.</param>
    /// <param name="source">What it was read from; null: it was made from a seed.</param>
    /// <param name="type">Of the model's parameters; null: each as in the source, or, without one, <paramref name="own"/>.</param>
    /// <param name="own">What the run stores parameters in.</param>
    /// <param name="shard">Most bytes of tensors in a file; a tensor that is larger has one of its own.</param>
    public static IReadOnlyList<ExportedShard> Of(ModelConfig model, Checkpoint? source, StoredType? type, StoredType own, Bytes shard)
    {
        var files = new List<List<ExportedTensor>>();
        long room = 0;
        foreach (var tensor in Tensors(model, source, type, own))
        {
            if (files.Count == 0 || tensor.Size > room)
            {
                files.Add([]);
                room = Math.Max(shard.Value, tensor.Size);
            }

            files[^1].Add(tensor);
            room -= tensor.Size;
        }

        return
        [
            .. files.Select((tensors, i) =>
                new ExportedShard(files.Count == 1 ? Checkpoint.FileName : $"model-{i + 1:D5}-of-{files.Count:D5}.safetensors", tensors)
            ),
        ];
    }

    private static IEnumerable<ExportedTensor> Tensors(ModelConfig model, Checkpoint? source, StoredType? type, StoredType own)
    {
        var bindings = WeightNames.Enumerate(model);
        if (source is null)
        {
            return bindings.Select(b => new ExportedTensor(b.Name, b.Shape, type ?? own, b, null));
        }

        var byTensor = bindings.ToDictionary(b => source.Find(b.Name)!.Name);

        // A tied head that the source repeats is the table's again.
        var table = model.TiedEmbedding ? bindings.FirstOrDefault(b => b.Tensor.Name == WeightName.EmbeddingTable) : null;
        return source.InFileOrder.Where(t => !source.IsOfQuantisation(t.Name)).Select(t =>
        {
            bool repeats = t.Name.EndsWith("lm_head.weight", StringComparison.Ordinal) && table?.Shape.SequenceEqual(t.Shape) == true;
            var binding = byTensor.GetValueOrDefault(t.Name) ?? (repeats ? table : null);
            return new ExportedTensor(t.Name, t.Shape, binding is null ? t.PlainType : type ?? t.PlainType, binding, t);
        });
    }
}
