namespace Dataflow.Formats;

/// <summary>Floats of 4 bits, with one of mantissa: their values twice, so that they are whole.</summary>
internal static class SmallFloats
{
    /// <summary>By code; both zeros are 0.</summary>
    public static ReadOnlySpan<sbyte> Doubled => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];
}
