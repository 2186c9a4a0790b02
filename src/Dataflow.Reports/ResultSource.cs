namespace Dataflow.Reports;

/// <summary>Where a number comes from. Everything that is shown says it.</summary>
public enum ResultSource
{
    /// <summary>Predicted by the simulator; nothing ran.</summary>
    Simulated,

    /// <summary>A run on a machine.</summary>
    Measured,

    /// <summary>Measured and published by others.</summary>
    Published,
}
