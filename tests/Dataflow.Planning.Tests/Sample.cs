namespace Dataflow.Planning.Tests;

/// <summary>How much of a long series of seeds the suite goes through: a third. A soak run goes through all of it.</summary>
internal static class Sample
{
    private const int Part = 3;
    private static readonly bool s_soak = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";

    /// <summary>Of so many seeds, or of what so many of them are expected to find.</summary>
    public static int Of(int all) => s_soak ? all : all / Part;
}
