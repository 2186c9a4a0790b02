using System.Globalization;

namespace Dataflow.Model;

/// <summary>A transformer block, counted from the input, from 0.</summary>
public readonly record struct Layer(int Index)
{
    /// <summary>"L05".</summary>
    public override string ToString() => "L" + Index.ToString("D2", CultureInfo.InvariantCulture);
}

/// <summary>A chunk within its round, in token order, from 0.</summary>
public readonly record struct Chunk(int Index)
{
    /// <summary>"C2".</summary>
    public override string ToString() => "C" + Index.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A round within its step, from 0.</summary>
public readonly record struct Round(int Index)
{
    /// <summary>"R0".</summary>
    public override string ToString() => "R" + Index.ToString(CultureInfo.InvariantCulture);
}

/// <summary>
/// One of <paramref name="Count"/> runs of whole chunks into which a context window is cut where it does not fit; all have the same number
/// of chunks, but the last may have fewer (<see cref="Geometry.ChunksPerSegment"/>).
/// </summary>
/// <param name="Index">From the window's start, from 0.</param>
/// <param name="Count">Segments of the window.</param>
public readonly record struct Segment(int Index, int Count)
{
    /// <summary>"S1".</summary>
    public override string ToString() => "S" + Index.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A block of rows of the vocabulary, from id 0 on, from 0.</summary>
public readonly record struct VocabularyBlock(int Index)
{
    /// <summary>"B3".</summary>
    public override string ToString() => "B" + Index.ToString(CultureInfo.InvariantCulture);
}
