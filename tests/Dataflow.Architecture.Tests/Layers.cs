namespace Dataflow.Architecture.Tests;

/// <summary>
/// Who may refer to whom, directly or through others. Planning never sees a device, a device never sees a planner,
/// training gets a schedule and a device; only the public library wires them together.
/// </summary>
internal static class Layers
{
    private static readonly string[] s_libraries =
    [
        "Dataflow.Model", "Dataflow.Schedules", "Dataflow.Simulation", "Dataflow.Planning", "Dataflow.Baseline",
        "Dataflow.Runtime",
        "Dataflow.Cpu", "Dataflow.Cuda", "Dataflow.Training", "Dataflow.Reports", "Dataflow.Text",
        "Dataflow.Corpora", "Dataflow.Formats", "Dataflow.Generation",
    ];

    public static IReadOnlyDictionary<string, string[]> Allowed { get; } = new Dictionary<string, string[]>
    {
        ["Dataflow.Model"] = [],
        ["Dataflow.Schedules"] = ["Dataflow.Model"],
        ["Dataflow.Simulation"] = ["Dataflow.Model", "Dataflow.Schedules"],
        ["Dataflow.Planning"] = ["Dataflow.Model", "Dataflow.Schedules", "Dataflow.Simulation"],
        ["Dataflow.Baseline"] = ["Dataflow.Model", "Dataflow.Schedules", "Dataflow.Simulation", "Dataflow.Planning"],
        ["Dataflow.Runtime"] = ["Dataflow.Model", "Dataflow.Schedules"],
        ["Dataflow.Cpu"] = ["Dataflow.Model", "Dataflow.Schedules", "Dataflow.Runtime"],
        ["Dataflow.Cuda"] = ["Dataflow.Model", "Dataflow.Schedules", "Dataflow.Runtime"],
        ["Dataflow.Training"] = ["Dataflow.Model", "Dataflow.Schedules", "Dataflow.Runtime"],
        ["Dataflow.Reports"] = ["Dataflow.Model", "Dataflow.Schedules", "Dataflow.Simulation"],
        ["Dataflow.Text"] = ["Dataflow.Model"],
        ["Dataflow.Corpora"] = ["Dataflow.Model", "Dataflow.Schedules", "Dataflow.Runtime", "Dataflow.Training", "Dataflow.Text"],
        ["Dataflow.Formats"] = ["Dataflow.Model", "Dataflow.Schedules", "Dataflow.Runtime", "Dataflow.Training", "Dataflow.Text"],
        ["Dataflow.Generation"] = ["Dataflow.Model", "Dataflow.Schedules", "Dataflow.Runtime", "Dataflow.Training"],
        ["Dataflow"] = s_libraries,
        ["Dataflow.Cli"] = [.. s_libraries, "Dataflow"],
        ["TransformerDemo"] = [.. s_libraries, "Dataflow", "Dataflow.Cli"],
    };
}
