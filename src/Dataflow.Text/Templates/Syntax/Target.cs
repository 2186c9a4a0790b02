namespace Dataflow.Text.Templates.Syntax;

/// <summary>What can stand at the left of an assignment.</summary>
internal abstract record Target(int Line)
{
    public sealed record Name(string Identifier, int Line) : Target(Line);

    public sealed record Tuple(IReadOnlyList<Target> Items, int Line) : Target(Line);

    /// <summary>An attribute of a namespace.</summary>
    public sealed record Attribute(string Identifier, string Member, int Line) : Target(Line);
}
