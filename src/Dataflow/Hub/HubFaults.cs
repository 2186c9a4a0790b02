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
/// <param name="message">A sentence.</param>
/// <param name="why">Of it, how the last request failed.</param>
internal sealed class HubDownException(string message, string why) : FailedException(message)
{
    /// <summary>How the last request failed.</summary>
    public string Why { get; } = why;
}
