using System.Globalization;

namespace Dataflow.Text.Tokenizers;

/// <summary>Code points as one bit each: a class of a pattern.</summary>
internal sealed class CodePointSet
{
    private readonly ulong[] bits = new ulong[CodePoints.Count / 64];

    /// <summary>Whether one is in it.</summary>
    public bool this[int codePoint] => (bits[codePoint >> 6] >> (codePoint & 63) & 1) != 0;

    /// <summary>All for which something holds.</summary>
    public static CodePointSet Where(Func<int, bool> holds)
    {
        var set = new CodePointSet();
        for (int i = 0; i < CodePoints.Count; i++)
        {
            if (holds(i))
            {
                set.Add(i);
            }
        }

        return set;
    }

    /// <summary>All of some general categories.</summary>
    public static CodePointSet Of(params UnicodeCategory[] categories)
    {
        int mask = categories.Aggregate(0, (m, c) => m | 1 << (int)c);
        return Where(i => (mask >> (int)CodePoints.Category(i) & 1) != 0);
    }

    /// <summary>Adds one.</summary>
    public void Add(int codePoint) => bits[codePoint >> 6] |= 1ul << (codePoint & 63);

    /// <summary>Adds all from one to another, both included.</summary>
    public void Add(int first, int last)
    {
        for (int i = first; i <= last; i++)
        {
            Add(i);
        }
    }

    /// <summary>Adds all of another set.</summary>
    public void Add(CodePointSet other)
    {
        for (int i = 0; i < bits.Length; i++)
        {
            bits[i] |= other.bits[i];
        }
    }

    /// <summary>Keeps what another set has too.</summary>
    public void Keep(CodePointSet other)
    {
        for (int i = 0; i < bits.Length; i++)
        {
            bits[i] &= other.bits[i];
        }
    }

    /// <summary>All others.</summary>
    public CodePointSet Complement()
    {
        var set = new CodePointSet();
        for (int i = 0; i < bits.Length; i++)
        {
            set.bits[i] = ~bits[i];
        }

        return set;
    }
}
