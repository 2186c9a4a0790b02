namespace Dataflow.Model;

/// <summary>
/// What a config has from the file that it was read from, besides what a model is: two configs with the same dimensions and mathematics
/// are equal whatever this is.
/// </summary>
/// <param name="Family">The model_type, by which its checkpoints' names are known; null of this project's own format.</param>
/// <param name="Source">
/// The text of a Hugging Face config, which is written back as it is, without a quantisation that is not kept; null of the other.
/// </param>
/// <param name="InitialDeviation">Of matrices that training starts from; null: as this project's own models begin.</param>
public readonly record struct ModelOrigin(string? Family, string? Source, double? InitialDeviation)
{
    /// <summary>Always.</summary>
    public bool Equals(ModelOrigin other) => true;

    /// <inheritdoc/>
    public override int GetHashCode() => 0;
}
