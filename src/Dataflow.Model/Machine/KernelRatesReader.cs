using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>Reads the measured rates of a hardware profile.</summary>
internal static class KernelRatesReader
{
    public static KernelRates Read(FigureFields fields)
    {
        var type = fields.OneOf("operands", ("bf16", DType.BFloat16), ("fp32", DType.Float32));
        string source = fields.Text("source");
        var tables = fields.Inner("rates");
        var rates = ImmutableSortedDictionary.CreateBuilder<Kernel, ImmutableArray<KernelRate>>();
        foreach (string name in tables.Keys)
        {
            if (Named(name) is not { } kernel)
            {
                tables.Faults.Add($"kernels.rates.{name} is no kernel of the catalog (here: {string.Join(", ", Enum.GetNames<Kernel>())})");
                continue;
            }

            bool memory = KernelWork.ClassOf(kernel) == KernelClass.Memory;
            var rows = tables.Table(name, memory ? 2 : 4);
            if (rows.Length == 0)
            {
                continue;
            }

            rates[kernel] = memory
                ? [.. rows.Select(r => new KernelRate(1, 1, 1, r[0], r[1])).OrderBy(r => r.Bytes)]
                : [.. rows.Select(r => new KernelRate(r[0], r[1], r[2], 1, r[3]))];
            if (memory && rates[kernel].Select(r => r.Bytes).Distinct().Count() != rows.Length)
            {
                tables.Faults.Add($"kernels.rates.{name} has two rates for the same bytes");
            }
        }

        return new KernelRates(type, source, rates.ToImmutable());
    }

    // Profiles that were measured when there was one optimizer, and one activation of gates, call their kernels by these names.
    private static Kernel? Named(string name) =>
        name switch
        {
            "AdamW" => Kernel.Update,
            "SwiGluForward" => Kernel.GatedActivationForward,
            "SwiGluBackward" => Kernel.GatedActivationBackward,
            _ => Enum.TryParse(name, out Kernel kernel) && kernel.ToString() == name ? kernel : null,
        };
}
