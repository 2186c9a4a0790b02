using Dataflow.Model;

namespace Dataflow.Cli.Tests;

/// <summary>Hardware profiles are found by name, alias and path.</summary>
public class HardwareFilesTests
{
    private static string Refusal(string name) => Assert.Throws<UserErrorException>(() => HardwareFiles.Load(name)).Message;

    [Theory]
    [InlineData("h100-sxm", "h100-sxm")]
    [InlineData("h100", "h100-sxm")]
    [InlineData("H200", "h200-sxm")]
    [InlineData("RTX5090", "rtx5090")]
    [InlineData("cpu", "cpu")]
    public void By_name_or_alias_in_any_case(string word, string name) => Assert.Equal(name, HardwareFiles.Load(word).Name);

    [Fact]
    public void By_path()
    {
        string own = Path.Combine(Programs.Root, "profiling", "hardware", "b200.json");
        Assert.Equal("b200", HardwareFiles.Load(own).Name);
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch.File("mine.json"), File.ReadAllText(own).Replace("\"b200\"", "\"mine\"", StringComparison.Ordinal));
        Assert.Equal("mine", HardwareFiles.Load(scratch.File("mine.json")).Name);
    }

    [Theory]
    [InlineData("h300")]
    [InlineData("")]
    [InlineData("..")]
    public void An_unknown_name_is_answered_with_the_known_ones(string name)
    {
        string message = Refusal(name);
        Assert.StartsWith($"there is no hardware profile '{name}'; choose a100-80gb (a100", message, StringComparison.Ordinal);
        Assert.Contains("cpu, h100-sxm (h100), h200-sxm (h200)", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void A_file_that_is_not_there_or_not_complete_is_named()
    {
        using var scratch = new ScratchFolder();
        Assert.Contains("mine.json does not exist", Refusal(scratch.File("mine.json")), StringComparison.Ordinal);
        File.WriteAllText(scratch.File("mine.json"), "{ \"name\": \"mine\" }");
        string message = Refusal(scratch.File("mine.json"));
        Assert.StartsWith(scratch.File("mine.json") + " cannot be used: ", message, StringComparison.Ordinal);
        Assert.Contains("host_to_device is missing", message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_build_leaves_profiles_and_models_beside_each_program()
    {
        foreach (string program in new[] { "dataflow", "transformerDemo" })
        {
            string folder = Path.Combine(Programs.Root, "artifacts", program);
            Assert.Equal(Names(Path.Combine(Programs.Root, "profiling", "hardware")), Names(Path.Combine(folder, "hardware")));
            Assert.Equal(Names(Path.Combine(Programs.Root, "models")), Names(Path.Combine(folder, "models")));
        }

        static IEnumerable<string?> Names(string folder) =>
            Directory.GetFiles(folder, "*.json").Select(Path.GetFileName).Order(StringComparer.Ordinal);
    }
}
