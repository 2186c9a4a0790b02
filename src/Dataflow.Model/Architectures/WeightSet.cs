using System.Globalization;

namespace Dataflow.Model;

/// <summary>Some of the parameters that <see cref="WeightName"/> names: a value.</summary>
public readonly record struct WeightSet
{
    private readonly UInt128 bits;

    private WeightSet(UInt128 bits) => this.bits = bits;

    /// <summary>Whether there are none.</summary>
    public bool IsEmpty => bits == 0;

    /// <summary>Those of a list.</summary>
    public static WeightSet Of(IEnumerable<WeightName> names) => new(names.Aggregate(UInt128.Zero, (bits, name) => bits | Bit(name)));

    /// <summary>Whether it is one of them.</summary>
    public bool Has(WeightName name) => (bits & Bit(name)) != 0;

    /// <inheritdoc/>
    public override string ToString() => bits.ToString("x", CultureInfo.InvariantCulture);

    private static UInt128 Bit(WeightName name) => UInt128.One << (int)name;
}
