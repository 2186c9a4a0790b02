using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>One weight of a parameter object: row-major [Rows, Columns] (out x in; a vector is one row) from ElementOffset.</summary>
/// <param name="Spec">What it is.</param>
/// <param name="ElementOffset">Of its first element, counted in elements from the object's start.</param>
public sealed record WeightTensor(ParameterSpec Spec, long ElementOffset)
{
    /// <summary>What calls name it by.</summary>
    public WeightName Name => Spec.Name;

    /// <summary>Out; 1 of a vector.</summary>
    public long Rows => Spec.Rows;

    /// <summary>In; of a vector its length.</summary>
    public long Columns => Spec.Columns;

    /// <summary>Number of elements.</summary>
    public long Count => Spec.Count;
}

/// <summary>
/// How the weights of one parameter object (the embedding, a block, or the head) lie in memory. Offsets are counted in elements, so
/// that parameters, gradients and moments share one layout whatever their dtypes; each tensor starts on 128 elements (256
/// bytes at 2 bytes an element). Q|K|V and gate|up are one matrix each.
/// </summary>
public sealed record ParameterLayout
{
    private const long ElementAlignment = 128;

    private ParameterLayout(IReadOnlyList<WeightTensor> tensors, long firstElement, long elementCount) =>
        (Tensors, FirstElement, ElementCount) = (tensors, firstElement, elementCount);

    /// <summary>Of a part: training changes it.</summary>
    public bool IsTrained => Tensors[0].Spec.IsTrained;

    /// <summary>Of a part: the type that its parameters have in a recipe.</summary>
    public DType TypeIn(Recipe recipe) => Tensors[0].Spec.Storage ?? recipe.Parameters;

    /// <summary>Of a part: the bytes of its parameters in a recipe.</summary>
    public Bytes SizeIn(Recipe recipe) => Size(TypeIn(recipe));

    /// <summary>Of a part: the element of the whole at which it begins.</summary>
    public long FirstElement { get; }

    /// <summary>In memory order.</summary>
    public IReadOnlyList<WeightTensor> Tensors { get; }

    /// <summary>With the padding between tensors; a multiple of 128.</summary>
    public long ElementCount { get; }

    /// <summary>The tensor of that name; throws if this object has none.</summary>
    public WeightTensor this[WeightName name] => Tensors.First(t => t.Name == name);

    /// <summary>Whether this object has a tensor of that name.</summary>
    public bool Has(WeightName name) => Tensors.Any(t => t.Name == name);

    /// <summary>Size of one copy at the given dtype.</summary>
    public Bytes Size(DType type) =>
        type.IsByTensor() && StoredMatrix.Of(this, type).Last() is var last ? last.Offset + last.Size : type.SizeOf(ElementCount);

    /// <summary>The embedding table, and that of positions where they are learned.</summary>
    public static ParameterLayout Embedding(ModelConfig model) => Of(DecoderVocabulary.Embeddings(model));

    /// <summary>Consecutive rows of a table of the embedding or of the head's matrix as an object of their own.</summary>
    public static ParameterLayout RowBlock(ModelConfig model, WeightName name, int rows) =>
        Of([(name == WeightName.HeadMatrix ? DecoderVocabulary.HeadMatrix(model) : Embedding(model)[name].Spec).WithRows(rows)]);

    /// <summary>What layers' inputs are projected by: what is left of the embedding where its tables lie in blocks.</summary>
    public static ParameterLayout InputProjection(ModelConfig model) =>
        Of([Embedding(model)[WeightName.LayerInputProjection].Spec, Embedding(model)[WeightName.LayerInputNorm].Spec]);

    /// <summary>The final norm alone: what is left of the head where its matrix lies in blocks.</summary>
    public static ParameterLayout HeadNorm(ModelConfig model) => Of([.. DecoderVocabulary.FinalNorm(model)]);

    /// <summary>The final norm and, unless tied, the head's own matrix.</summary>
    public static ParameterLayout Head(ModelConfig model) => Of(DecoderVocabulary.Head(model));

    /// <summary>One transformer block.</summary>
    public static ParameterLayout Block(ModelConfig model, LayerKind kind) => Of(DecoderParameters.Of(model, kind));

    /// <summary>
    /// The objects that these parameters are streamed in, each laid out from its own start; a single one where all are of one group, all
    /// trained or none, and all stored alike.
    /// </summary>
    /// <param name="experts">How its experts are cut; null: they lie with the others.</param>
    public ImmutableArray<ParameterLayout> Parts(ExpertGroups? experts = null)
    {
        var parts = ImmutableArray.CreateBuilder<ParameterLayout>();
        int from = 0;
        while (from < Tensors.Count)
        {
            var first = Tensors[from].Spec;
            if (first is { IsTrained: true, Storage: { } type })
            {
                throw new InvalidOperationException($"{first.Name} is trained, and only what is frozen can be stored in {type}");
            }

            if (experts?.CountOf(first.Name) is { } groups)
            {
                parts.AddRange(OfExperts(Tensors[from], experts, groups));
                from++;
                continue;
            }

            ParameterSpec[] specs =
            [
                .. Tensors.Skip(from).Select(t => t.Spec).TakeWhile(s => AreTogether(first, s) && experts?.CountOf(s.Name) is null),
            ];
            if (first.Storage is { } stored && Array.Find(specs, s => !s.HasWholeBlocks(stored)) is { } cut)
            {
                throw new InvalidOperationException(
                    $"{cut.Name} [{cut.Rows}, {cut.Columns}] has tensors whose elements are no multiple of the {stored.ElementsPerScale()} "
                        + $"that share a scale in {stored.Name()}"
                );
            }

            parts.Add(Of(specs, Tensors[from].ElementOffset));
            from += specs.Length;
        }

        return parts.ToImmutable();
    }

    private static IEnumerable<ParameterLayout> OfExperts(WeightTensor tensor, ExpertGroups experts, int groups)
    {
        int each = experts.Experts / groups;
        return Enumerable
            .Range(0, groups)
            .Select(g => Of([tensor.Spec.OfExperts(experts.Experts, g * each, each)], tensor.ElementOffset + (tensor.Count / groups * g)));
    }

    private static bool AreTogether(ParameterSpec one, ParameterSpec other) =>
        (one.Group, one.IsTrained, one.Storage) == (other.Group, other.IsTrained, other.Storage);

    private static ParameterLayout Of(IReadOnlyList<ParameterSpec> specs, long firstElement = 0)
    {
        var laid = new List<WeightTensor>(specs.Count);
        long offset = 0;
        foreach (var spec in specs)
        {
            laid.Add(new WeightTensor(spec, offset));
            offset = checked(offset + ((spec.Count + ElementAlignment - 1) / ElementAlignment * ElementAlignment));
        }

        return new ParameterLayout(laid, firstElement, offset);
    }
}
