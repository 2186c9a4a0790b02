using System.Globalization;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// Decompositions, compositions and combining classes. The library runs without culture data, which .NET's own normalization needs, and
/// the tables that published tokenizers were made with are of an older Unicode: so they are here (decompositions.txt, which
/// make_decompositions.py beside it writes from the Unicode character database).
/// </summary>
internal sealed class NormalizationTables
{
    private static readonly Lazy<NormalizationTables> s_instance = new(() => new NormalizationTables());

    private readonly Dictionary<int, int[]> canonical = [];
    private readonly Dictionary<int, int[]> compatible = [];
    private readonly Dictionary<long, int> compositions = [];
    private readonly byte[] classes = new byte[CodePoints.Count];
    private readonly CodePointSet marks = new();

    private NormalizationTables()
    {
        using var stream = typeof(NormalizationTables).Assembly.GetManifestResourceStream("decompositions.txt")
            ?? throw new InvalidOperationException("the library was built without decompositions.txt");
        using var reader = new StreamReader(stream);
        var single = new Dictionary<int, (char Kind, int[] Parts)>();
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
            {
                continue;
            }

            if (line.StartsWith('@'))
            {
                string[] parts = line[1..].Split(' ');
                byte value = byte.Parse(parts[0], CultureInfo.InvariantCulture);
                ReadRanges(parts.AsSpan(1), (first, last) => classes.AsSpan(first..(last + 1)).Fill(value));
                continue;
            }

            if (line.StartsWith('%'))
            {
                ReadRanges(line[1..].Split(' '), marks.Add);
                continue;
            }

            int mark = line.AsSpan().IndexOfAny('=', '-', '~');
            single[Hexadecimal(line.AsSpan(0, mark))] = (line[mark], [.. line[(mark + 1)..].Split(' ').Select(p => Hexadecimal(p))]);
        }

        foreach (var (codePoint, (kind, parts)) in single)
        {
            if (kind != '~')
            {
                canonical[codePoint] = Expand(codePoint, single, compatible: false);
            }

            compatible[codePoint] = Expand(codePoint, single, compatible: true);
            if (kind == '=' && parts is [var first, var second])
            {
                compositions[Key(first, second)] = codePoint;
            }
        }
    }

    /// <summary>The tables, read at first use.</summary>
    public static NormalizationTables Instance => s_instance.Value;

    /// <summary>Code points that stand second in a composition.</summary>
    public IEnumerable<int> Seconds => compositions.Keys.Select(k => (int)(k & 0x1FFFFF)).Distinct();

    /// <summary>Whether a code point combines with what stands before it.</summary>
    public bool IsMark(int codePoint) => marks[codePoint];

    /// <summary>The canonical combining class.</summary>
    public byte Class(int codePoint) => classes[codePoint];

    /// <summary>The full decomposition; null for a code point that has none.</summary>
    public int[]? Decomposition(int codePoint, bool compatibly)
    {
        if (codePoint is >= 0xAC00 and < 0xAC00 + 11172)
        {
            int index = codePoint - 0xAC00;
            int tail = index % 28;
            int lead = 0x1100 + index / 588;
            int vowel = 0x1161 + index % 588 / 28;
            return tail == 0 ? [lead, vowel] : [lead, vowel, 0x11A7 + tail];
        }

        return (compatibly ? compatible : canonical).GetValueOrDefault(codePoint);
    }

    /// <summary>What two code points compose to; -1 for two that stay.</summary>
    public int Composition(int first, int second)
    {
        if (first is >= 0x1100 and < 0x1113 && second is >= 0x1161 and < 0x1176)
        {
            return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28;
        }

        if (first is >= 0xAC00 and < 0xAC00 + 11172 && (first - 0xAC00) % 28 == 0 && second is > 0x11A7 and < 0x11C3)
        {
            return first + second - 0x11A7;
        }

        return compositions.GetValueOrDefault(Key(first, second), -1);
    }

    private static long Key(int first, int second) => (long)first << 21 | (uint)second;

    private static int Hexadecimal(ReadOnlySpan<char> digits) =>
        int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static int[] Expand(int codePoint, Dictionary<int, (char Kind, int[] Parts)> single, bool compatible) =>
        single.TryGetValue(codePoint, out var found) && (compatible || found.Kind != '~')
            ? [.. found.Parts.SelectMany(p => Expand(p, single, compatible))]
            : [codePoint];

    private static void ReadRanges(ReadOnlySpan<string> ranges, Action<int, int> read)
    {
        foreach (string range in ranges)
        {
            string[] ends = range.Split('-');
            read(Hexadecimal(ends[0]), Hexadecimal(ends[^1]));
        }
    }
}
