using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>The filters by name. The value that is filtered is the first argument.</summary>
internal static partial class Filters
{
    public static readonly IReadOnlyDictionary<string, Builtin> All = Text().Concat(Sequences()).Concat(Selections()).Concat(Conversions())
        .ToDictionary(f => f.Name);

    private static Builtin Of(string name, string parameters, Func<Invocation, object?> body) =>
        new(name, new Parameters(parameters), body);

    /// <summary>The filtered value as text, marked if it was.</summary>
    private static object SoftText(Invocation call) => call[0] is string or Markup ? call[0]! : Representation.Str(call[0]);

    /// <summary>A method of the value's text, given these arguments.</summary>
    private static object? Method(Invocation call, string method, params object?[] arguments)
    {
        object text = SoftText(call);
        Builtin builtin = StringMethods.All[method];
        return (text is Markup ? MarkupMethods.Of(builtin) : builtin).Invoke(call.Rendering, text, Arguments.Of(arguments));
    }

    /// <summary>What an attribute such as "a.0.b" reads from an item.</summary>
    private static Func<object?, object?> Getter(object? attribute, object? fallback = null, bool ignoreCase = false)
    {
        object?[] path = Path(attribute);
        return item =>
        {
            Budget.Step();
            foreach (object? part in path)
            {
                item = Subscript.Item(item, part);
                if (fallback is not null && item is Undefined) item = fallback;
            }
            return ignoreCase ? CaseMapping.WithoutCase(item) : item;
        };
    }

    private static object?[] Path(object? attribute) => attribute switch
    {
        null => [],
        string or Markup => [.. Equality.Text(attribute)!.Split('.').Select(PathPart)],
        _ => [attribute],
    };

    private static object? PathPart(string part) =>
        part.Length > 0 && part.All(char.IsDigit) ? Numbers.ParseInteger(part, 10) : part;
}
