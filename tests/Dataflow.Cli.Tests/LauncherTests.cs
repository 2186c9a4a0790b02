namespace Dataflow.Cli.Tests;

/// <summary>bin/dataflow and bin/transformerDemo start from any folder, through links, and say what is missing.</summary>
public class LauncherTests
{
    private static string Program(string name) => Path.Combine(Programs.Root, "bin", name);

    [Theory]
    [InlineData("dataflow")]
    [InlineData("transformerDemo")]
    public void Without_arguments_it_prints_its_usage_and_ends_with_2(string name)
    {
        using var scratch = new ScratchFolder();
        var outcome = Programs.Run(Program(name), [], scratch.Path);
        Assert.Equal(2, outcome.Status);
        Assert.Contains(name, outcome.Output + outcome.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dataflow")]
    [InlineData("transformerDemo")]
    public void It_starts_through_a_link_to_a_link(string name)
    {
        using var scratch = new ScratchFolder();
        File.CreateSymbolicLink(scratch.File("first"), Program(name));
        File.CreateSymbolicLink(scratch.File("second"), "first");
        Assert.Equal(Programs.Run(Program(name), []), Programs.Run(scratch.File("second"), [], scratch.Path));
    }

    [Fact]
    public void Without_the_runtime_it_says_so_in_one_sentence()
    {
        // A copy that looks in no place outside this folder: most machines have dotnet in one of the usual ones.
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch.File("bin"));
        Directory.CreateDirectory(scratch.File("artifacts/dataflow"));
        File.WriteAllText(scratch.File("artifacts/dataflow/Dataflow.Cli.dll"), "");
        File.WriteAllText(
            scratch.File("bin/dataflow"),
            File.ReadAllText(Program("dataflow")).Replace(" /usr/", $" {scratch.Path}/usr/", StringComparison.Ordinal)
        );
        foreach (var tool in new[] { "sh", "dirname", "basename", "readlink" })
        {
            File.CreateSymbolicLink(scratch.File(tool), new[] { $"/usr/bin/{tool}", $"/bin/{tool}" }.First(File.Exists));
        }

        var outcome = Programs.Run(scratch.File("sh"), [scratch.File("bin/dataflow")], environment: new Dictionary<string, string?>
        {
            ["PATH"] = scratch.Path,
            ["DOTNET_ROOT"] = null,
            ["HOME"] = scratch.Path,
        });
        Assert.Equal(1, outcome.Status);
        Assert.Contains("runtime was not found", outcome.Errors, StringComparison.Ordinal);
        Assert.Single(outcome.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void In_the_bundle_it_starts_the_program_with_the_runtime_that_lies_beside_it()
    {
        using var scratch = new ScratchFolder();
        foreach (string folder in new[] { "bin", "programs", "runtime" })
        {
            Directory.CreateDirectory(scratch.File(folder));
        }

        File.Copy(Program("dataflow"), scratch.File("bin/dataflow"));
        File.WriteAllText(scratch.File("programs/Dataflow.Cli.dll"), "");
        File.CreateSymbolicLink(scratch.File("runtime/dotnet"), "/bin/echo");
        var outcome = Programs.Run(scratch.File("bin/dataflow"), ["plan", "8b"]);
        Assert.Equal($"{scratch.File("programs/Dataflow.Cli.dll")} plan 8b\n", Programs.Good(outcome));
    }

    [Fact]
    public void Without_a_build_it_names_the_command_to_run()
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch.File("bin"));
        File.Copy(Program("dataflow"), scratch.File("bin/dataflow"));
        var outcome = Programs.Run(scratch.File("bin/dataflow"), []);
        Assert.Equal(1, outcome.Status);
        Assert.Contains("make build", outcome.Errors, StringComparison.Ordinal);
    }
}
