namespace Dataflow.Model;

/// <summary>Where a figure comes from, and so how far to trust it.</summary>
public enum FigureKind
{
    /// <summary>The maker's document.</summary>
    Datasheet,

    /// <summary>Measured by this project; the source says how and on what.</summary>
    Measured,

    /// <summary>Measured by others and published.</summary>
    Published,

    /// <summary>Fitted by this project to runs of this machine that others published; the source says which.</summary>
    Fitted,

    /// <summary>Another machine's, which the source names.</summary>
    Borrowed,

    /// <summary>None of these: inferred from similar machines or assumed; replace it by a measurement.</summary>
    Estimate,
}

/// <summary>One number about a machine, in the unit that its name ends with.</summary>
/// <param name="Value">Finite, never negative.</param>
/// <param name="Kind">How far to trust it.</param>
/// <param name="Source">The document and its section, or how it was measured; never empty.</param>
public sealed record Figure(double Value, FigureKind Kind, string Source);
