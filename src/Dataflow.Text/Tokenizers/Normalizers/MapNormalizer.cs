using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>Changes code point by code point: what is dropped first, then what becomes what.</summary>
internal sealed class MapNormalizer(Func<int, bool> keep, Func<int, string>? map) : TextNormalizer
{
    /// <summary>Without code points that combine.</summary>
    public static MapNormalizer StripAccents { get; } = new(c => !LibraryUnicode.IsMark(c), null);

    /// <summary>Small letters.</summary>
    public static MapNormalizer Lowercase { get; } = new(_ => true, LibraryUnicode.Lower);

    /// <summary>The rules that machine translation models use: no control characters, all white space as spaces.</summary>
    public static MapNormalizer Nmt { get; } = new(
        c => c is not (>= 1 and <= 8 or 0xB or >= 0xE and <= 0x1F or 0x7F or 0x8F or 0x9F),
        c => c is 9 or 0xA or 0xC or 0xD or 0x1680 or >= 0x200B and <= 0x200F or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD
            ? " "
            : char.ConvertFromUtf32(c));

    /// <summary>Each byte of UTF-8 as the character that stands for it.</summary>
    public static MapNormalizer Bytes { get; } = new(_ => true, ByteAlphabet.Spelled);

    /// <inheritdoc/>
    public override bool KeepsLineStarts => ReferenceEquals(this, Lowercase);

    /// <inheritdoc/>
    public override void Apply(AlignedText text)
    {
        if (text.BeginsWithNothing || text.Text.EnumerateRunes().Any(r => !keep(r.Value)))
        {
            text.Filter(keep);
        }

        if (map is not null)
        {
            text.Map(map);
        }
    }
}
