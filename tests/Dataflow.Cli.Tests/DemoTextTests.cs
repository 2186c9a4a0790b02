namespace Dataflow.Cli.Tests;

/// <summary>fetch-text.sh where the Bible cannot be had. (Fetching it needs a network: `make text` shows that.)</summary>
public class DemoTextTests
{
    private static Outcome Fetch(string output) =>
        Programs.Run(
            "sh",
            [Path.Combine(Programs.Root, "src/TransformerDemo/fetch-text.sh"), output],
            environment: new Dictionary<string, string?> { ["DATAFLOW_OFFLINE"] = "1" }
        );

    [Fact]
    public void Offline_the_projects_own_documents_take_its_place()
    {
        using var scratch = new ScratchFolder();
        var text = scratch.File("folder/text.txt");
        var outcome = Fetch(text);
        Assert.Equal(0, outcome.Status);
        Assert.Contains("own documents and sources", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("own documents and sources", File.ReadAllText(text + ".source"), StringComparison.Ordinal);
        Assert.Contains("# Dataflow", File.ReadAllText(text), StringComparison.Ordinal);
        Assert.Equal(["text.txt", "text.txt.source"], Directory.GetFiles(scratch.File("folder")).Select(Path.GetFileName).Order());
    }

    [Fact]
    [Trait("Slow", "true")]
    public void The_same_checkout_gives_the_same_text()
    {
        using var scratch = new ScratchFolder();
        Fetch(scratch.File("a"));
        Fetch(scratch.File("b"));
        Assert.Equal(File.ReadAllBytes(scratch.File("a")), File.ReadAllBytes(scratch.File("b")));
    }

    [Fact]
    public void A_text_of_the_users_own_is_kept()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch.File("mine"), "my own words");
        Assert.Equal(0, Fetch(scratch.File("mine")).Status);
        Assert.Equal("my own words", File.ReadAllText(scratch.File("mine")));
    }
}
