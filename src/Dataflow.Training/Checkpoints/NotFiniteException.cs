using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Values that were to be written for use elsewhere hold an infinity or a NaN, and nothing was written. The command line exits with 1.
/// </summary>
public sealed class NotFiniteException(string message) : MachineException(message)
{
    private const int MostListed = 3;

    /// <summary>"lm_head.weight holds values that are not finite".</summary>
    internal static string Describe(IReadOnlyList<string> tensors) =>
        string.Join(", ", tensors.Take(MostListed))
        + (tensors.Count > MostListed ? $" and {tensors.Count - MostListed} more hold" : tensors.Count > 1 ? " hold" : " holds")
        + " values that are not finite";
}
