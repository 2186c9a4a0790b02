using System.Globalization;
using System.Text.RegularExpressions;
using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>The machines of the published sweeps as hardware profiles of the checkout.</summary>
internal sealed partial class Machines(string checkout)
{
    private static readonly Dictionary<string, string> Files = new()
    {
        ["H100"] = "h100-sxm", ["A100"] = "a100-80gb", ["RTX5090"] = "rtx5090", ["RTX3090"] = "rtx3090",
    };

    private readonly Dictionary<string, HardwareProfile> profiles = Files.ToDictionary(f => f.Key, f => Load(checkout, f.Value));

    /// <summary>Names as in the sweeps.</summary>
    public static IEnumerable<string> Names => Files.Keys;

    /// <summary>The profile of a machine.</summary>
    public HardwareProfile this[string machine] => profiles[machine];

    /// <summary>Replaces a profile's efficiency constants, and leaves the rest of its text as it is.</summary>
    /// <param name="file">The profile's name.</param>
    /// <param name="figure">A constant with its source, by its name and value.</param>
    public static void Write(string checkout, string file, EfficiencyConstants constants, Func<string, double, Figure> figure)
    {
        string path = PathOf(checkout, file);
        var lines = EfficiencyConstants.Names.Zip(constants.Values, (name, value) => Line(name, figure(name, value)));
        string text = Efficiency().Replace(File.ReadAllText(path), $"\"efficiency\": {{\n{string.Join(",\n", lines)}\n  }}", 1);
        HardwareProfileReader.Parse(text, path);
        File.WriteAllText(path, text);
    }

    private static string Line(string name, Figure figure) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"    \"{name}\": {{ \"value\": {figure.Value:0.####}, \"kind\": \"{figure.Kind.ToString().ToLowerInvariant()}\", \"source\": "
                + $"\"{figure.Source}\" }}"
        );

    /// <summary>The profile file of a machine.</summary>
    public static string FileOf(string machine) => Files[machine];

    private static HardwareProfile Load(string checkout, string file) =>
        HardwareProfileReader.Parse(File.ReadAllText(PathOf(checkout, file)), file);

    private static string PathOf(string checkout, string file) => Path.Combine(checkout, "profiling", "hardware", file + ".json");

    [GeneratedRegex("\"efficiency\": (null|\\{(?:[^{}]|\\{[^{}]*\\})*\\})")]
    private static partial Regex Efficiency();
}
