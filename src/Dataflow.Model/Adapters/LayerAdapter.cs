using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// What an adapter adds to the matrices of a layer, or to those of embedding and head: a value, by which kinds of layers are told apart.
/// </summary>
public sealed class LayerAdapter : IEquatable<LayerAdapter>
{
    private const string Prefix = "base_model.model.";
    private const string Weight = ".weight";

    /// <param name="parts">Those of a matrix next to each other, in the order of its rows.</param>
    public LayerAdapter(ImmutableArray<AdaptedRows> parts) => Parts = parts;

    /// <summary>All of them.</summary>
    public ImmutableArray<AdaptedRows> Parts { get; }

    /// <summary>Those of a matrix; none of one that has no adapter.</summary>
    public ImmutableArray<AdaptedRows> Of(WeightName matrix) => [.. Parts.Where(p => p.Matrix == matrix)];

    /// <summary>Rows of a matrix are multiplied by factors, so that its product is kept from before that.</summary>
    public bool HasMagnitudes(WeightName matrix) => Parts.Any(p => p.Matrix == matrix && p.HasMagnitude);

    /// <summary>Rows of a matrix's A.</summary>
    public int RanksOf(WeightName matrix) => Parts.Where(p => p.Matrix == matrix).Sum(p => p.Rank);

    /// <summary>The module that a tensor is the weight of, as PEFT names it; null of what is no weight.</summary>
    public static string? ModuleOf(string tensor) =>
        tensor.EndsWith(Weight, StringComparison.Ordinal) ? tensor[..^Weight.Length] : null;

    /// <summary>The parameters that come with the embedding's table: A is looked up as the table is, and so lies by tokens.</summary>
    public IEnumerable<ParameterSpec> LookedUp(ParameterSpec table)
    {
        foreach (var part in Of(table.Name))
        {
            string name = NameOf(table, part);
            var a = new NamedRows($"{name}.lora_embedding_A", part.Rows, Transposed: true);
            yield return ParameterSpec.Matrix(WeightName.EmbeddingA, part.Rank, InitialValues.Zero, a);
            yield return ParameterSpec.Matrix(
                WeightName.EmbeddingB,
                part.Rank,
                new InitialValues.Normal(1),
                new NamedRows($"{name}.lora_embedding_B", table.Columns));
        }
    }

    /// <summary>The name in an adapter's file of a tensor that is trained as a whole.</summary>
    public static string NameOfSaved(string tensor) => Prefix + tensor;

    /// <summary>The parameters that come with a matrix: A, of all that have a part in it, and each one's B and magnitudes.</summary>
    /// <param name="matrix">Of the base.</param>
    public IEnumerable<ParameterSpec> Parameters(ParameterSpec matrix)
    {
        var parts = Of(matrix.Name);
        if (parts.IsEmpty)
        {
            yield break;
        }

        if (parts[0].Experts > 0)
        {
            foreach (var parameter in ExpertParameters(matrix, parts))
            {
                yield return parameter with { Group = matrix.Group };
            }

            yield break;
        }

        NamedRows[] rows = [.. parts.Select(p => new NamedRows($"{NameOf(matrix, p)}.lora_A{Weight}", p.Rank))];
        yield return ParameterSpec.Matrix(AdaptedRows.NameOfA(matrix.Name), matrix.Columns, InitialValues.FanIn(matrix.Columns), rows) with
        {
            Group = matrix.Group,
        };
        foreach (var part in parts)
        {
            var order = matrix.Parts[part.Part].Order;
            var name = new NamedRows($"{NameOf(matrix, part)}.lora_B{Weight}", part.Rows, order);
            yield return ParameterSpec.Matrix(part.B, part.Rank, InitialValues.Zero, name) with { Group = matrix.Group };
            if (part.HasMagnitude)
            {
                var lengths = new NamedRows($"{NameOf(matrix, part)}.lora_magnitude_vector", part.Rows, order);
                yield return ParameterSpec.Vector(part.Magnitude, InitialValues.One, lengths) with { Group = matrix.Group };
            }
        }
    }

    private static IEnumerable<ParameterSpec> ExpertParameters(ParameterSpec matrix, ImmutableArray<AdaptedRows> parts)
    {
        var (a, initial, experts) = (parts[0].A, InitialValues.FanIn(matrix.Columns), Enumerable.Range(0, parts[0].Experts));
        if (parts is [{ Stack: { } module } stack])
        {
            // Columns of B are by rank, and of one rank by expert.
            string name = Prefix + module;
            var order = matrix.Parts[0].Order;
            yield return ParameterSpec.Matrix(a, matrix.Columns, initial, ($"{name}.lora_A{Weight}", (long)stack.Experts * stack.Rank));
            yield return ParameterSpec.SideBySide(
                stack.B, stack.Experts, stack.Rank, InitialValues.Zero, new($"{name}.lora_B{Weight}", stack.Rows, order));
            yield break;
        }

        int ofExpert = matrix.Parts.Length / parts[0].Experts;
        string NameOfExpert(int expert, in AdaptedRows part) =>
            Prefix + ModuleOf(matrix.Parts[(expert * ofExpert) + part.Part].CheckpointName);
        NamedRows[] down =
            [.. experts.SelectMany(e => parts.Select(p => new NamedRows($"{NameOfExpert(e, p)}.lora_A{Weight}", p.Rank)))];
        yield return ParameterSpec.Matrix(a, matrix.Columns, initial, down);
        foreach (var part in parts)
        {
            NamedRows[] up = [.. experts.Select(e => new NamedRows($"{NameOfExpert(e, part)}.lora_B{Weight}", part.Rows))];
            yield return ParameterSpec.Matrix(part.B, part.Rank, InitialValues.Zero, up);
        }
    }

    /// <inheritdoc/>
    public bool Equals(LayerAdapter? other) => other is not null && Parts.AsSpan().SequenceEqual(other.Parts.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as LayerAdapter);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Parts.Length, Parts[0], Parts[^1]);

    private static string NameOf(ParameterSpec matrix, in AdaptedRows part) => Prefix + ModuleOf(matrix.Parts[part.Part].CheckpointName);
}
