namespace Dataflow.Formats;

/// <summary>
/// Eight scales and eight minima of 6 bits in twelve bytes: the first four of each whole, in bytes 0 to 3 and 4 to 7; of the others four
/// low bits in the halves of bytes 8 to 11, and two high ones above those of the first four.
/// </summary>
internal static class ScalesOfSix
{
    /// <summary>A scale and its minimum.</summary>
    public static (int Scale, int Minimum) At(ReadOnlySpan<byte> packed, int index)
    {
        if (index < 4)
        {
            return (packed[index] & 63, packed[index + 4] & 63);
        }

        int low = packed[index + 4], scale = packed[index - 4], minimum = packed[index];
        return ((low & 15) | ((scale >> 2) & 48), (low >> 4) | ((minimum >> 2) & 48));
    }
}
