namespace Dataflow.Text.Templates.Execution;

/// <summary>What a template can call.</summary>
internal abstract class Callable
{
    public abstract string Name { get; }

    /// <summary>The name of its type.</summary>
    public virtual string TypeName => "function";

    /// <summary>Its text; null where Python prints an address of memory.</summary>
    public virtual string? PrintedAs => null;

    public abstract object? Call(Rendering rendering, Arguments arguments);
}
