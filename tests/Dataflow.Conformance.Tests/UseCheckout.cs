using System.Runtime.CompilerServices;

namespace Dataflow.Conformance.Tests;

/// <summary>These tests belong to the checkout or the bundle that they lie in, as the programs do.</summary>
internal static class UseCheckout
{
    [ModuleInitializer]
    public static void Use() => Locations.UseNearest();
}
