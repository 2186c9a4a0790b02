namespace Dataflow.Model;

/// <summary>Whether a matrix product takes an operand as stored or transposed.</summary>
public enum Transpose
{
    /// <summary>As stored.</summary>
    No,

    /// <summary>Rows and columns exchanged.</summary>
    Yes,
}
