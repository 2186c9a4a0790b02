using Dataflow.Model;

namespace Dataflow.Planning.Tests;

/// <summary>The shipped model configs.</summary>
internal static class Models
{
    public static ModelConfig Load(string name)
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Dataflow.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("no Dataflow.sln above the tests");
        }

        return ModelConfigReader.Parse(File.ReadAllText(Path.Combine(folder, "models", name + ".json")), name);
    }
}
