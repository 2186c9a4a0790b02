using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Execution;

/// <summary>A function, filter, test or method of the language itself: its parameters and what it computes.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Parameters">What it takes.</param>
/// <param name="Body">What it computes; of a method, the value that it belongs to is the first argument.</param>
internal sealed record Builtin(string Name, Parameters Parameters, Func<Invocation, object?> Body)
{
    public object? Invoke(Rendering rendering, object? self, Arguments arguments) =>
        Body(new Invocation(rendering, self, Parameters.Bind(Name, arguments), arguments));
}

/// <summary>A call of a builtin: what it belongs to, and its arguments by place (<see cref="Missing"/> where none was given).</summary>
internal readonly record struct Invocation(Rendering Rendering, object? Self, object?[] Given, Arguments All)
{
    public object? this[int index] => Given[index];

    public bool Has(int index) => Given[index] is not Missing;

    public object? Or(int index, object? fallback) => Has(index) ? Given[index] : fallback;

    /// <summary>A text that is required to be one.</summary>
    public string Text(int index) => Equality.Text(Given[index])
        ?? throw Errors.Type($"argument {index + 1} must be str, not {TypeNames.Of(Given[index])}");

    public long Index(int index, long fallback) => Has(index) ? Numbers.ToIndex(Given[index]) : fallback;

    public bool Truth(int index) => Has(index) && Values.Truth.Of(Given[index]);
}
