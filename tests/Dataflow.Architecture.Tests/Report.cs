namespace Dataflow.Architecture.Tests;

/// <summary>Every fault of a kind in one message: one run tells all there is to mend.</summary>
internal static class Report
{
    public static void None(string rule, IEnumerable<string> faults)
    {
        var all = faults.ToList();
        if (all.Count > 0)
        {
            Assert.Fail($"{rule}\n" + string.Join('\n', all.Select(f => "  " + f)));
        }
    }
}
