namespace Dataflow.Text.Templates.Execution;

/// <summary>A method with the value that it was taken from.</summary>
internal sealed class BoundMethod(Builtin method, object? self) : Callable
{
    public override string Name => method.Name;

    public override string TypeName => "builtin_function_or_method";

    public override object? Call(Rendering rendering, Arguments arguments) => method.Invoke(rendering, self, arguments);
}

/// <summary>A function that templates find by its name.</summary>
internal sealed class GlobalFunction(Builtin function) : Callable
{
    public override string Name => function.Name;

    public override object? Call(Rendering rendering, Arguments arguments) => function.Invoke(rendering, null, arguments);
}

/// <summary>A type that templates call to make values of it.</summary>
internal sealed class TypeFunction(string qualifiedName, Builtin constructor) : Callable
{
    public override string Name => constructor.Name;

    public override string TypeName => "type";

    public override string? PrintedAs => $"<class '{qualifiedName}'>";

    public override object? Call(Rendering rendering, Arguments arguments) => constructor.Invoke(rendering, null, arguments);
}
