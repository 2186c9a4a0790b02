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

    /// <summary>Rounded up to a multiple of <see cref="Alignment"/>.</summary>
    public Bytes Aligned => new(checked(Value + Alignment - 1) / Alignment * Alignment);

    /// <summary>N GiB, rounded down to a byte.</summary>
    public static Bytes FromGiB(double gib) => new(checked((long)Math.Floor(gib * (1L << 30))));

    /// <summary>The larger of two sizes.</summary>
    public static Bytes Max(Bytes a, Bytes b) => a.Value >= b.Value ? a : b;

    public static Bytes operator +(Bytes a, Bytes b) => new(checked(a.Value + b.Value));

    public static Bytes operator -(Bytes a, Bytes b) => new(checked(a.Value - b.Value));

    public static Bytes operator *(Bytes a, long n) => new(checked(a.Value * n));

    public static Bytes operator *(long n, Bytes a) => a * n;

    public static bool operator <(Bytes a, Bytes b) => a.Value < b.Value;

    public static bool operator >(Bytes a, Bytes b) => a.Value > b.Value;

    public static bool operator <=(Bytes a, Bytes b) => a.Value <= b.Value;

    public static bool operator >=(Bytes a, Bytes b) => a.Value >= b.Value;

    /// <inheritdoc/>
    public int CompareTo(Bytes other) => Value.CompareTo(other.Value);

    /// <summary>For people: "23.45 GiB", "12.0 MiB", "512 bytes".</summary>
    public override string ToString() => Math.Abs(Value) switch
    {
        >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{GiB:0.000} GiB"),
        >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{Value / (double)(1 << 20):0.00} MiB"),
        >= 1L << 10 => string.Create(CultureInfo.InvariantCulture, $"{Value / (double)(1 << 10):0.0} KiB"),
        1 => "1 byte",
        _ => string.Create(CultureInfo.InvariantCulture, $"{Value} bytes"),
    };
}
