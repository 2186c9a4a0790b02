namespace Dataflow.Training;

/// <summary>
/// SplitMix64 (Steele, Lea and Flood, 2014) as a function of key and counter: the counter-th output of the generator seeded with the
/// key, without making the ones before. Integer arithmetic only, so the same everywhere.
/// </summary>
public static class SplitMix64
{
    private const ulong Increment = 0x9E3779B97F4A7C15;

    /// <summary>64 random bits.</summary>
    public static ulong At(ulong key, ulong counter) => Finalise(unchecked(key + ((counter + 1) * Increment)));

    /// <summary>A well-mixed key from a small number.</summary>
    public static ulong Mix(ulong value) => At(value, 0);

    private static ulong Finalise(ulong z)
    {
        unchecked
        {
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
