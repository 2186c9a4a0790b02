using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Filters that apply other filters or tests to each item.</summary>
internal static partial class Filters
{
    private static IEnumerable<Builtin> Selections() =>
    [
        Of("map", "*", i => Required(i, "map") is var value ? new GeneratorValue(Map(i, value)) : null),
        Of("select", "*", i => Select(i, "select", keep: true, byAttribute: false)),
        Of("reject", "*", i => Select(i, "reject", keep: false, byAttribute: false)),
        Of("selectattr", "*", i => Select(i, "selectattr", keep: true, byAttribute: true)),
        Of("rejectattr", "*", i => Select(i, "rejectattr", keep: false, byAttribute: true)),
    ];

    private static object? Required(Invocation call, string name) => call.Given.Length > 0 ? call.Given[0]
        : throw Errors.Type($"{name}() missing 1 required positional argument: 'value'");

    private static IEnumerable<object?> Map(Invocation call, object? value)
    {
        if (!Truth.Of(value)) yield break;
        Func<object?, object?> function = Mapping(call);
        foreach (object? item in Iteration.Of(value))
        {
            Budget.Step();
            yield return function(item);
        }
    }

    private static Func<object?, object?> Mapping(Invocation call)
    {
        object?[] rest = call.Given[1..];
        IReadOnlyList<KeyValuePair<string, object?>> keywords = call.All.Keywords;
        if (rest.Length == 0 && keywords.Any(k => k.Key == "attribute"))
        {
            if (keywords.FirstOrDefault(k => k.Key is not ("attribute" or "default")).Key is { } unknown)
                throw Errors.Argument($"Unexpected keyword argument {Representation.Repr(unknown)}");
            return Getter(keywords.First(k => k.Key == "attribute").Value, keywords.FirstOrDefault(k => k.Key == "default").Value);
        }
        if (rest.Length == 0) throw Errors.Argument("map requires a filter argument");
        Builtin? filter = All.GetValueOrDefault(Representation.Str(rest[0]));
        Arguments arguments = new(rest[1..], keywords);
        return item => filter is not null ? filter.Invoke(call.Rendering, null, Calls.Prepend(item, arguments))
            : throw new TemplateException(TemplateErrorKind.Runtime, $"No filter named {Representation.Repr(rest[0])}.");
    }

    private static GeneratorValue Select(Invocation call, string name, bool keep, bool byAttribute)
    {
        object? value = Required(call, name);
        return new GeneratorValue(Selected());

        IEnumerable<object?> Selected()
        {
            if (!Truth.Of(value)) yield break;
            object?[] rest = call.Given[1..];
            Func<object?, object?> of = item => item;
            if (byAttribute)
            {
                if (rest.Length == 0) throw Errors.Argument("Missing parameter for attribute name");
                of = Getter(rest[0]);
                rest = rest[1..];
            }
            Func<object?, bool> test = rest.Length == 0 ? Truth.Of : Testing(call, rest);
            foreach (object? item in Iteration.Of(value))
            {
                Budget.Step();
                if (test(of(item)) == keep) yield return item;
            }
        }
    }

    private static Func<object?, bool> Testing(Invocation call, object?[] rest)
    {
        Builtin? test = Tests.All.GetValueOrDefault(Representation.Str(rest[0]));
        Arguments arguments = new(rest[1..], call.All.Keywords);
        return item => test is not null ? Truth.Of(test.Invoke(call.Rendering, null, Calls.Prepend(item, arguments)))
            : throw new TemplateException(TemplateErrorKind.Runtime, $"No test named {Representation.Repr(rest[0])}.");
    }
}
