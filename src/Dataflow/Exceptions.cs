namespace Dataflow;

/// <summary>No plan fits.</summary>
public sealed class InfeasibleException(string reason) : Exception(reason);

/// <summary>What was to be proved is not so, or what was to be done failed; the message is one line.</summary>
/// <param name="message">For people.</param>
/// <param name="inner">What it is due to.</param>
public class FailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A run came to its end, and some of what it was to leave behind could not be written; a line each.</summary>
public sealed class RunFailedException(IReadOnlyList<string> failures) : Exception(string.Join("; ", failures))
{
    /// <summary>A sentence each.</summary>
    public IReadOnlyList<string> Failures { get; } = failures;
}
