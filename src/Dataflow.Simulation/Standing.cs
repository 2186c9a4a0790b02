using Dataflow.Model;

namespace Dataflow.Simulation;

/// <summary>What predicted times of a machine rest on, the firmest first.</summary>
public enum StandingKind
{
    /// <summary>Kernels of this project, measured on the machine.</summary>
    Measured,

    /// <summary>Rates fitted to runs on the machine that others published.</summary>
    Fitted,

    /// <summary>Another machine's rates.</summary>
    Borrowed,

    /// <summary>Rates that are usual elsewhere: nothing of the machine but its data sheet.</summary>
    Assumed,
}

/// <summary>What predictions for a machine rest on, to be said wherever one is shown.</summary>
/// <param name="Kind">Where the machine's rates come from.</param>
/// <param name="Text">A phrase that begins with a small letter and has no full stop.</param>
public sealed record Standing(StandingKind Kind, string Text)
{
    private const int WideHead = 128;

    /// <summary>Of a machine, for a model whose heads may be of a width that no run of the machine had, or whose layers may be.</summary>
    public static Standing Of(HardwareProfile machine, ModelConfig model)
    {
        var standing = Of(machine);
        bool inferred =
            standing.Kind is StandingKind.Fitted or StandingKind.Borrowed
            && model.HeadDim != WideHead
            && machine.Efficiency.TryGetValue("attention_head_dim", out var factor)
            && factor.Kind == FigureKind.Estimate;
        bool assumed =
            standing.Kind != StandingKind.Assumed
            && machine.Kind == HardwareKind.Gpu
            && machine.Kernels?.ByKernel.ContainsKey(Kernel.LinearRecurrenceForward) is not true
            && model.Kinds.Any(k => k.Recurrence is not null);
        string[] more =
        [
            standing.Text,
            .. inferred
                ? [$"no run had heads of {model.HeadDim}, whose attention is inferred from heads of {WideHead}"]
                : Array.Empty<string>(),
            .. assumed ? ["what recurrences of layers with states reach is assumed"] : Array.Empty<string>(),
        ];
        return standing with { Text = string.Join("; ", more) };
    }

    /// <summary>Of a machine.</summary>
    public static Standing Of(HardwareProfile machine)
    {
        var rates = machine.Efficiency.Values;
        if (machine.Kernels is not null || (!machine.Efficiency.IsEmpty && rates.All(r => r.Kind == FigureKind.Measured)))
        {
            return new Standing(StandingKind.Measured, $"rates measured on {machine.Name}");
        }

        if (rates.FirstOrDefault(r => r.Kind == FigureKind.Borrowed) is { } borrowed)
        {
            return new Standing(
                StandingKind.Borrowed,
                $"rates of {borrowed.Source.Split(',', ':')[0]}, fitted to published runs with another system's kernels: nothing was "
                    + $"fitted to {machine.Name} or measured on it"
            );
        }

        return rates.Any(r => r.Kind == FigureKind.Fitted)
            ? new Standing(StandingKind.Fitted, $"rates fitted to published runs on {machine.Name} with another system's kernels")
            : new Standing(StandingKind.Assumed, $"assumed rates: nothing was fitted to {machine.Name} or measured on it");
    }
}
