using System.Reflection;
using System.Runtime.CompilerServices;

namespace Dataflow.Tests;

/// <summary>Records say themselves: messages, keys of what is kept and failures of tests rest on it.</summary>
public sealed class RecordTests
{
    /// <summary>What a record prints are its public properties: one of its own type, made by it, would print itself for ever.</summary>
    [Fact]
    public void No_record_has_a_public_property_of_its_own_type_that_it_makes()
    {
        var types = Directory
            .GetFiles(AppContext.BaseDirectory, "Dataflow*.dll")
            .Where(f => !Path.GetFileName(f).Contains("Tests", StringComparison.Ordinal))
            .SelectMany(f => Assembly.LoadFrom(f).GetTypes())
            .Where(PrintsItsProperties)
            .ToList();
        Assert.True(types.Count > 300, $"{types.Count} records");
        Assert.Empty(
            from type in types
            from property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            where (Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType) == type && property.SetMethod is null
            select $"{type}.{property.Name}"
        );
    }

    private static bool PrintsItsProperties(Type type) =>
        type.GetMethod("PrintMembers", BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.DeclaredOnly) is not null
        && type.GetMethod("ToString", BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly, [])
            is { } text
        && text.IsDefined(typeof(CompilerGeneratedAttribute));
}
