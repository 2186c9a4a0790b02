using System.Globalization;

namespace Dataflow.Model;

/// <summary>A number of bytes. Sizes and offsets cross APIs as this type, never as a bare integer.</summary>
public readonly record struct Bytes(long Value) : IComparable<Bytes>
{
    /// <summary>Every slot and every tensor starts on a multiple of this many bytes (the alignment of device allocations).</summary>
    public const long Alignment = 256;

    /// <summary>No bytes.</summary>
    public static Bytes Zero => default;

    /// <summary>This size in GiB (2^30 bytes).</summary>
    public double GiB => Value / (double)(1L << 30);

    /// <summary>Whether people read it in GiB: from a tenth of one on.</summary>
    public bool IsGiB => Math.Abs((decimal)Value) * 10 >= 1L << 30;

    /// <summary>Rounded up to a multiple of <see cref="Alignment"/>.</summary>
    public Bytes Aligned => new(checked(Value + Alignment - 1) / Alignment * Alignment);

    /// <summary>N GiB, rounded down to a byte.</summary>
    public static Bytes FromGiB(double gib) => new(checked((long)Math.Floor(gib * (1L << 30))));

    /// <summary>The larger of two sizes.</summary>
    public static Bytes Max(Bytes a, Bytes b) => a.Value >= b.Value ? a : b;

    /// <summary>The sum.</summary>
    public static Bytes operator +(Bytes a, Bytes b) => new(checked(a.Value + b.Value));

    /// <summary>The difference, which may be negative.</summary>
    public static Bytes operator -(Bytes a, Bytes b) => new(checked(a.Value - b.Value));

    /// <summary>So many times the size.</summary>
    public static Bytes operator *(Bytes a, long n) => new(checked(a.Value * n));

    /// <summary>So many times the size.</summary>
    public static Bytes operator *(long n, Bytes a) => a * n;

    /// <summary>Whether the first is smaller.</summary>
    public static bool operator <(Bytes a, Bytes b) => a.Value < b.Value;

    /// <summary>Whether the first is larger.</summary>
    public static bool operator >(Bytes a, Bytes b) => a.Value > b.Value;

    /// <summary>Whether the first is no larger.</summary>
    public static bool operator <=(Bytes a, Bytes b) => a.Value <= b.Value;

    /// <summary>Whether the first is no smaller.</summary>
    public static bool operator >=(Bytes a, Bytes b) => a.Value >= b.Value;

    /// <inheritdoc/>
    public int CompareTo(Bytes other) => Value.CompareTo(other.Value);

    /// <summary>
    /// For people to give back as it is printed: at least as much, in thousandths of a GiB, or in whole MiB of less than a tenth of one.
    /// </summary>
    public string RoundedUp() => IsGiB
        ? string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(Value * 1000m / (1L << 30)) / 1000:0.000} GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{(Value + (1 << 20) - 1) >> 20} MiB");

    /// <summary>For people: "23.450 GiB", "0.250 GiB", "12.00 MiB", "512 bytes".</summary>
    public override string ToString() => Math.Abs(Value) switch
    {
        _ when IsGiB => string.Create(CultureInfo.InvariantCulture, $"{GiB:0.000} GiB"),
        >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{Value / (double)(1 << 20):0.00} MiB"),
        >= 1L << 10 => string.Create(CultureInfo.InvariantCulture, $"{Value / (double)(1 << 10):0.0} KiB"),
        1 => "1 byte",
        _ => string.Create(CultureInfo.InvariantCulture, $"{Value} bytes"),
    };
}
