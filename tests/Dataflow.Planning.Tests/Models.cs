using Dataflow.Model;

namespace Dataflow.Planning.Tests;

/// <summary>The shipped model configs.</summary>
internal static class Models
{
    public static ModelConfig Load(string name) => ModelConfigReader.Parse(Checkout.Read("models", name + ".json"), name);
}
