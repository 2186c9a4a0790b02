using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Other weights in the place of a trainer's, until disposal puts back what was there, to the byte. What was there waits in a file that
/// nobody else sees and that is gone afterwards: memory is within its budgets.
/// </summary>
internal sealed class WeightStash : IDisposable
{
    private readonly ObjectWeights place;
    private readonly DType type;
    private readonly FileStream kept;

    /// <param name="place">The weights that steps read.</param>
    /// <param name="others">To stand there meanwhile.</param>
    /// <param name="type">In which both are kept.</param>
    /// <param name="folder">With room for the weights.</param>
    /// <exception cref="UserErrorException">The file cannot be written; the weights are as they were.</exception>
    public WeightStash(ObjectWeights place, IWeightSource others, DType type, string folder)
    {
        (this.place, this.type) = (place, type);
        string path = Path.Combine(folder, $".weights-{Guid.NewGuid():N}");
        try
        {
            kept = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unwritable(path, e);
        }

        try
        {
            // All is kept before anything is changed.
            Visit((weights, first, piece) =>
            {
                place.Read(weights, first, piece, type);
                kept.Write(piece);
            });
        }
        catch (Exception e)
        {
            kept.Dispose();
            if (!FileErrors.IsFileError(e))
            {
                throw;
            }

            throw FileErrors.Unwritable(path, e);
        }

        Visit((weights, first, piece) =>
        {
            others.Read(weights, first, piece, type);
            place.Write(weights, first, piece);
        });
    }

    private delegate void PieceAction(ParameterObject weights, long first, Span<byte> piece);

    /// <summary>Puts back what was there.</summary>
    public void Dispose()
    {
        kept.Position = 0;
        Visit((weights, first, piece) =>
        {
            kept.ReadExactly(piece);
            place.Write(weights, first, piece);
        });
        kept.Dispose();
    }

    private void Visit(PieceAction action)
    {
        byte[] staging = new byte[WeightLoading.PieceElements * type.Size()];
        foreach (var weights in ParameterObject.All(place.Model))
        {
            foreach (var (first, count) in WeightLoading.Pieces(weights.Layout(place.Model).ElementCount))
            {
                action(weights, first, staging.AsSpan(0, count * (int)type.Size()));
            }
        }
    }
}
