namespace Dataflow.Architecture.Tests;

/// <summary>What is called by position takes few values: more of them have names, as properties of a record.</summary>
public class ParameterTests
{
    private const int MostParameters = 8;

    [Theory]
    [InlineData("class C { void M(int a, int b, int c, int d, int e, int f, int g, int h) { } }", "")]
    [InlineData("class C {\n  void M(int a, int b, int c, int d, int e, int f, int g, int h, int i) { } }", "x.cs:2: M takes 9")]
    [InlineData("class C { C(int a, int b, int c, int d, int e, int f, int g, int h, int i) { } }", "x.cs:1: C takes 9")]
    [InlineData("record R(int A, int B, int C, int D, int E, int F, int G, int H, int I);", "x.cs:1: R takes 9")]
    [InlineData("class C(int a, int b, int c, int d, int e, int f, int g, int h, int i);", "x.cs:1: C takes 9")]
    [InlineData("delegate void D(int a, int b, int c, int d, int e, int f, int g, int h, int i);", "x.cs:1: D takes 9")]
    [InlineData("var f = (int a, int b, int c, int d, int e, int f, int g, int h, int i) => 0;", "x.cs:1: a lambda takes 9")]
    [InlineData("class C { [LibraryImport(X)] static partial int M(int a, int b, int c, int d, int e, int f, int g, int h, int i); }", "")]
    [InlineData("class C { [Other] void M(int a, int b, int c, int d, int e, int f, int g, int h, int i) { } }", "x.cs:1: M takes 9")]
    public void The_rule_finds(string text, string fault) => Assert.Equal(fault, string.Join('\n', Faults("x.cs", text)));

    [Fact]
    public void Nothing_takes_many_parameters() => Report.None(
        $"More than {MostParameters} parameters (give them names: a record with required properties):",
        Repository.Sources
            .Where(f => f.EndsWith(".cs", StringComparison.Ordinal))
            .SelectMany(f => Faults(f, Repository.Text(f))));

    /// <summary>
    /// The longest of what is held to a limit, for notes: run by name alone, with <c>-explicit only -showLiveOutput</c>.
    /// </summary>
    [Fact(Explicit = true)]
    public void The_longest()
    {
        Tell("parameters", Repository.Sources
            .Where(f => f.EndsWith(".cs", StringComparison.Ordinal))
            .SelectMany(f => ParameterList.All(f, Repository.Text(f)))
            .Select(l => (l.Count, $"{l.Place} {l.Name}")));
        Tell("columns", Repository.Sources.SelectMany(f => Repository.Lines(f).Select((line, at) => (line.Length, $"{f}:{at + 1}"))));
        Tell("lines", Repository.Sources.Select(f => (Repository.Lines(f).Length, f)));
    }

    private static void Tell(string unit, IEnumerable<(int Size, string Place)> all)
    {
        foreach (var (size, place) in all.OrderByDescending(one => one.Size).ThenBy(one => one.Place, StringComparer.Ordinal).Take(10))
        {
            TestContext.Current.TestOutputHelper!.WriteLine($"{size} {unit}: {place}");
        }
    }

    private static IEnumerable<string> Faults(string file, string text) =>
        ParameterList.All(file, text).Where(l => l.Count > MostParameters).Select(l => $"{l.Place}: {l.Name} takes {l.Count}");
}
