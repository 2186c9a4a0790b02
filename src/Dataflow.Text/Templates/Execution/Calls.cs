using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Execution;

/// <summary>Calling values, and what calls are given.</summary>
internal static class Calls
{
    public static object? Invoke(Rendering rendering, object? function, Arguments arguments)
    {
        Budget.Step();
        return function switch
        {
            Callable callable => callable.Call(rendering, arguments),
            Undefined undefined => throw undefined.Fault(),
            _ => throw Errors.Type($"'{TypeNames.Of(function)}' object is not callable"),
        };
    }

    public static Arguments Prepend(object? value, Arguments arguments) =>
        arguments.Positional.Length == 0 && arguments.Keywords.Count == 0 ? Arguments.Of(value)
            : arguments with { Positional = [value, .. arguments.Positional] };

    public static List<object?> Spread(object? value)
    {
        if (!Iteration.IsIterable(value)) throw Errors.Type($"argument after * must be an iterable, not {TypeNames.Of(value)}");
        return Iteration.ToList(value);
    }

    public static void SpreadKeywords(object? value, List<KeyValuePair<string, object?>> named)
    {
        if (value is not DictValue dict) throw Errors.Type($"argument after ** must be a mapping, not {TypeNames.Of(value)}");
        foreach ((object? key, object? item) in dict.Pairs)
        {
            if (Equality.Text(key) is not { } name) throw Errors.Type("keywords must be strings");
            if (named.Any(n => n.Key == name)) throw Errors.Type($"got multiple values for keyword argument '{name}'");
            named.Add(new(name, item));
        }
    }
}
