namespace Dataflow;

/// <summary>A request failed in a way that may pass: it is worth making again.</summary>
/// <param name="why">For people, without the end of a sentence.</param>
/// <param name="wait">How long the server asks to wait; null if it does not say.</param>
internal sealed class PassingFaultException(string why, TimeSpan? wait = null) : Exception(why)
{
    /// <summary>How long the server asks to wait; null if it does not say.</summary>
    public TimeSpan? Wait { get; } = wait;
}

/// <summary>The hub does not answer, however often it is asked.</summary>
internal sealed class HubDownException(string message) : FailedException(message);
