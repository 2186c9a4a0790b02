namespace Dataflow.Formats;

/// <summary>The sixteen levels of types whose codes of 4 bits lie closer together near zero.</summary>
internal static class UnevenLevels
{
    /// <summary>By code.</summary>
    public static ReadOnlySpan<sbyte> Values => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
}
