namespace Dataflow.Corpora;

/// <summary>A value of a leaf: bytes that lie in a page, or a number.</summary>
/// <param name="Bytes">What they lie in; null for a number.</param>
/// <param name="Start">Where they begin.</param>
/// <param name="Length">How many there are.</param>
/// <param name="Bits">The number: an integer, or the bits of a double.</param>
internal readonly record struct ParquetValue(byte[]? Bytes, int Start, int Length, long Bits)
{
    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Span => Bytes.AsSpan(Start, Length);

    /// <summary>A number.</summary>
    public static ParquetValue Of(long bits) => new(null, 0, 0, bits);
}

/// <summary>A value with its levels: where a list goes on, and what of the path to it is there.</summary>
internal readonly record struct ParquetEntry(int Repetition, int Definition, ParquetValue Value);
