namespace Dataflow.Planning.Tests;

/// <summary>Files of the checkout that these tests were built in.</summary>
internal static class Checkout
{
    public static string Root { get; } = FindRoot();

    public static string Read(params string[] path) => File.ReadAllText(Path.Combine([Root, .. path]));

    private static string FindRoot()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Dataflow.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("no Dataflow.sln above the tests");
        }

        return folder;
    }
}
