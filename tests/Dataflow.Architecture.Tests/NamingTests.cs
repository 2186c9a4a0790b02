using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;

namespace Dataflow.Architecture.Tests;

/// <summary>A name says what the thing is in the field's words: these say nothing, or say something else in .NET.</summary>
public partial class NamingTests
{
    private static readonly string[] s_taken = ["Stream", "Task", "Buffer"];

    // Whole words of a PascalCase name. A tensor core is a thing of the field.
    [GeneratedRegex("(?<!Tensor)(Helpers?|Utils?|Utility|Utilities|Managers?|Common|Core)(?![a-z])")]
    private static partial Regex EmptyWord();

    [Theory]
    [InlineData("Stream", true)]
    [InlineData("StreamKind", false)]
    [InlineData("StringUtils", true)]
    [InlineData("PlanHelper", true)]
    [InlineData("CoreTypes", true)]
    [InlineData("TensorCoreShape", false)]
    [InlineData("Scored", false)]
    [InlineData("Model", true)]
    [InlineData("ModelConfig", false)]
    public void The_rule_finds(string name, bool fault) => Assert.Equal(fault, Fault("Dataflow.Model", name) is not null);

    [Fact]
    public void Types_have_names_of_their_own()
    {
        var types = Repository.Projects.Where(p => File.Exists(p.AssemblyPath)).SelectMany(p => Types(p.AssemblyPath)).ToList();
        Assert.NotEmpty(types);
        Report.None("Types whose names say too little or too much:", types
            .Where(t => Fault(t.Namespace, t.Name) is not null)
            .Select(t => $"{t.Namespace}.{t.Name}: {Fault(t.Namespace, t.Name)}"));
    }

    private static string? Fault(string @namespace, string name) =>
        s_taken.Contains(name) ? "means something else in .NET"
        : EmptyWord().Match(name) is { Success: true } word ? $"'{word.Value}' says nothing"
        : name == @namespace.Split('.')[^1] ? "is its namespace's name"
        : null;

    private static List<(string Namespace, string Name)> Types(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        var metadata = file.GetMetadataReader();
        return [.. metadata.TypeDefinitions
            .Select(handle => metadata.GetTypeDefinition(handle))
            .Select(type => (metadata.GetString(type.Namespace), metadata.GetString(type.Name).Split('`')[0]))
            .Where(type => !type.Item2.Contains('<', StringComparison.Ordinal))]; // the compiler's own
    }
}
