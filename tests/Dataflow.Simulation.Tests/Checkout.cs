using Dataflow.Model;

namespace Dataflow.Simulation.Tests;

/// <summary>The hardware profiles and models of the checkout.</summary>
internal static class Checkout
{
    private static readonly string Profiles = Path.Combine(FindRoot(), "profiling", "hardware");

    public static IEnumerable<string> ProfileNames =>
        Directory.GetFiles(Profiles, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal);

    public static HardwareProfile Profile(string name) =>
        HardwareProfileReader.Parse(File.ReadAllText(Path.Combine(Profiles, name + ".json")), name);

    public static ModelConfig Model(string name) =>
        ModelConfigReader.Parse(File.ReadAllText(Path.Combine(FindRoot(), "models", name + ".json")), name);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Dataflow.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("the tests must run from inside the repository");
    }
}
