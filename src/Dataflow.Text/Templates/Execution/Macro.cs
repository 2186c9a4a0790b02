using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Execution;

/// <summary>What a macro's body uses besides its parameters.</summary>
internal readonly record struct MacroUses(bool Caller, bool Keywords, bool Positional);

/// <summary>A macro, or the body of a call block, with the variables around it.</summary>
/// <param name="name">Its name; null of a call block.</param>
/// <param name="parameters">The names of its parameters.</param>
/// <param name="uses">What its body uses besides them.</param>
/// <param name="autoEscape">Whether values are escaped where it stands.</param>
/// <param name="body">Its text, for its arguments: the parameters', then those of <paramref name="uses"/>.</param>
internal sealed class Macro(string? name, IReadOnlyList<string> parameters, MacroUses uses, bool autoEscape, Func<object?[], string> body)
    : Callable
{
    // As deep as Python lets macros call themselves, about: more is a template without an end.
    private const int MaximumDepth = 400;

    [ThreadStatic]
    private static int depth;

    public override string Name => name ?? "caller";

    public override string TypeName => "Macro";

    public bool IsCaller => name is null;

    public IReadOnlyList<string> Parameters => parameters;

    public MacroUses Uses => uses;

    public bool AutoEscape => autoEscape;

    public override object? Call(Rendering rendering, Arguments arguments)
    {
        object?[] bound = Bind(arguments);
        Budget.CheckStack();
        if (depth >= MaximumDepth) throw Errors.Recursion();
        depth++;
        try
        {
            string text = body(bound);
            return rendering.AutoEscape ? new Markup(text) : text;
        }
        finally
        {
            depth--;
        }
    }

    private object?[] Bind(Arguments arguments)
    {
        List<object?> bound = [.. arguments.Positional.Take(parameters.Count)];
        List<KeyValuePair<string, object?>> keywords = [.. arguments.Keywords];
        bool foundCaller = bound.Count == parameters.Count && parameters.Contains("caller");
        foreach (string parameter in parameters.Skip(bound.Count).ToList())
        {
            bound.Add(Take(keywords, parameter));
            foundCaller |= parameter == "caller";
        }
        if (uses.Caller && !foundCaller)
        {
            object? caller = Take(keywords, "caller");
            bound.Add(caller is Missing or null ? new Undefined("No caller defined") : caller);
        }
        if (uses.Keywords)
        {
            DictValue rest = new();
            foreach ((string key, object? value) in keywords) rest[key] = value;
            bound.Add(rest);
        }
        else if (keywords.Count > 0)
        {
            throw Errors.Type(keywords.Any(k => k.Key == "caller")
                ? $"macro {Quoted} was invoked with two values for the special caller argument. This is most likely a bug."
                : $"macro {Quoted} takes no keyword argument {Representation.Repr(keywords[0].Key)}");
        }
        if (uses.Positional) bound.Add(new TupleValue([.. arguments.Positional.Skip(parameters.Count)]));
        else if (arguments.Positional.Length > parameters.Count)
            throw Errors.Type($"macro {Quoted} takes not more than {parameters.Count} argument(s)");
        return [.. bound];
    }

    private string Quoted => Representation.Repr(name);

    private static object? Take(List<KeyValuePair<string, object?>> keywords, string name)
    {
        int at = keywords.FindIndex(k => k.Key == name);
        if (at < 0) return Missing.Value;
        object? value = keywords[at].Value;
        keywords.RemoveAt(at);
        return value;
    }
}
