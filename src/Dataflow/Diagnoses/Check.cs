namespace Dataflow;

/// <summary>How a check ended.</summary>
public enum CheckStatus
{
    /// <summary>There, and as it should be.</summary>
    Ok,

    /// <summary>There, but a run may be slower or smaller for it.</summary>
    Warn,

    /// <summary>Not there.</summary>
    Missing,
}

/// <summary>One line of `dataflow doctor`.</summary>
/// <param name="Name">What was looked at: one word.</param>
/// <param name="Status">Whether it will do.</param>
/// <param name="Finding">What this machine has.</param>
/// <param name="Advice">What to do about it; empty if nothing.</param>
public sealed record Check(string Name, CheckStatus Status, string Finding, string Advice = "");
