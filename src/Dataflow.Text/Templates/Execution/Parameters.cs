using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Execution;

/// <summary>
/// The parameters of a builtin, from names with spaces between them. A question mark marks one that may be left out; a slash at the
/// beginning, that none can be given by name; a star alone, that everything is taken.
/// </summary>
internal sealed class Parameters
{
    private readonly string[] names;
    private readonly int required;
    private readonly bool byName;
    private readonly bool everything;

    public Parameters(string names)
    {
        string[] words = names.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        byName = !words.Contains("/");
        everything = words.Contains("*");
        this.names = [.. words.Where(w => w is not ("/" or "*")).Select(w => w.TrimEnd('?'))];
        required = words.Count(w => w is not ("/" or "*") && !w.EndsWith('?'));
    }

    public object?[] Bind(string function, Arguments arguments)
    {
        if (everything) return arguments.Positional;
        if (arguments.Positional.Length > names.Length)
            throw Errors.Type($"{function}() takes {names.Length} positional argument{(names.Length == 1 ? "" : "s")} but "
                + $"{arguments.Positional.Length} were given");
        object?[] bound = new object?[names.Length];
        arguments.Positional.CopyTo(bound, 0);
        for (int i = arguments.Positional.Length; i < bound.Length; i++) bound[i] = Missing.Value;
        foreach ((string name, object? value) in arguments.Keywords)
        {
            int at = Array.IndexOf(names, name);
            if (at < 0 || !byName) throw Errors.Type($"{function}() got an unexpected keyword argument '{name}'");
            if (bound[at] is not Missing) throw Errors.Type($"{function}() got multiple values for argument '{name}'");
            bound[at] = value;
        }
        for (int i = 0; i < required; i++)
            if (bound[i] is Missing) throw Errors.Type($"{function}() missing 1 required positional argument: '{names[i]}'");
        return bound;
    }
}
