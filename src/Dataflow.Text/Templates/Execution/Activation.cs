using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Execution;

/// <summary>The variables of one call: of the template itself, a macro, a block, a loop that calls itself, the test of a loop.</summary>
internal sealed class Activation
{
    public Activation(Rendering rendering, Activation? outer, int variables, IReadOnlyDictionary<string, object?>? locals = null)
    {
        Rendering = rendering;
        Outer = outer;
        Locals = locals ?? outer?.Locals;
        Variables = new object?[variables];
        Array.Fill(Variables, Missing.Value);
    }

    public Rendering Rendering { get; }

    /// <summary>The call in whose text this one's function stands.</summary>
    public Activation? Outer { get; }

    public object?[] Variables { get; }

    /// <summary>In a scoped block, the variables of the place where it stands.</summary>
    public IReadOnlyDictionary<string, object?>? Locals { get; }

    public object? Resolve(string name) =>
        Locals is not null && Locals.TryGetValue(name, out object? value) ? value : Rendering.Resolve(name);
}

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

internal delegate object? Evaluation(Activation activation);

internal delegate Flow StatementCode(Activation activation);

/// <summary>Writes a block, with the variables of the place where it stands if it is scoped.</summary>
internal delegate void BlockBody(Rendering rendering, IReadOnlyDictionary<string, object?>? locals);
