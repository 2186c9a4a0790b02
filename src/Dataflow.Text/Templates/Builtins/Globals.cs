using System.Numerics;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>What every template can use by name: Jinja's functions, and those that chat templates are given.</summary>
internal static class Globals
{
    /// <summary>The sandbox makes no longer ranges.</summary>
    private const long MaximumRange = 100_000;

    private static readonly Dictionary<string, object?> All = new()
    {
        ["range"] = Function("range", "*", i => Range(i.All)),
        ["dict"] = Type("dict", "dict", i => Dict("dict", i.All)),
        ["namespace"] = Type("jinja2.utils.Namespace", "namespace", i => NamespaceValue.Of(Dict("dict", i.All))),
        ["cycler"] = Type("jinja2.utils.Cycler", "cycler", i => new Cycler(i.Given.Length > 0 && i.All.Keywords.Count == 0 ? i.Given
            : throw (i.All.Keywords.Count > 0 ? Errors.Type("Cycler.__init__() got an unexpected keyword argument")
                : new TemplateException(TemplateErrorKind.RuntimeFault, "at least one item has to be provided")))),
        ["joiner"] = Type("jinja2.utils.Joiner", "joiner sep?", i => new Joiner(i.Or(0, ", "))),
        ["lipsum"] = Function("lipsum", "*", _ => throw Errors.Unsupported("lipsum, whose text is different each time")),
        ["raise_exception"] = Function("raise_exception", "message", i =>
            throw new TemplateException(TemplateErrorKind.Raised, Representation.Str(i[0]))),
        ["strftime_now"] = Function("strftime_now", "format", i => Strftime.Format(i.Rendering.Now, i.Text(0))),
    };

    public static bool TryGet(string name, out object? value) => All.TryGetValue(name, out value);

    private static GlobalFunction Function(string name, string parameters, Func<Invocation, object?> body) =>
        new(new Builtin(name, new Parameters(parameters), body));

    private static TypeFunction Type(string qualified, string signature, Func<Invocation, object?> constructor)
    {
        string[] words = signature.Split(' ', 2);
        return new TypeFunction(qualified, new Builtin(words[0], new Parameters(words.Length > 1 ? words[1] : "*"), constructor));
    }

    private static RangeValue Range(Arguments arguments)
    {
        if (arguments.Keywords.Count > 0) throw Errors.Type("safe_range() got an unexpected keyword argument");
        object?[] given = arguments.Positional;
        if (given.Length is 0
            or > 3) throw Errors.Type(
            $"range expected {(given.Length == 0 ? "at least 1 argument" : "at most 3 arguments")}, got {given.Length}");
        foreach (object? argument in given)
            if (argument is Undefined || !Numbers.IsInteger(argument, out _))
                throw Errors.Type($"'{TypeNames.Of(argument)}' object cannot be interpreted as an integer");
        Numbers.IsInteger(given.Length == 1 ? 0L : given[0], out BigInteger start);
        Numbers.IsInteger(given.Length == 1 ? given[0] : given[1], out BigInteger stop);
        Numbers.IsInteger(given.Length == 3 ? given[2] : 1L, out BigInteger step);
        if (step.IsZero) throw Errors.Value("range() arg 3 must not be zero");
        BigInteger length = step.Sign > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step;
        if (length > MaximumRange)
            throw Errors.Overflow($"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MaximumRange}).");
        BigInteger largest = BigInteger.Max(BigInteger.Abs(start), BigInteger.Max(BigInteger.Abs(stop), BigInteger.Abs(step)));
        if (largest > long.MaxValue / 4) throw Errors.Unsupported("a range of numbers of more than 61 bits");
        return new RangeValue((long)start, (long)stop, (long)step);
    }

    private static DictValue Dict(string name, Arguments arguments)
    {
        if (arguments.Positional.Length > 1) throw Errors.Type($"{name} expected at most 1 argument, got {arguments.Positional.Length}");
        DictValue dict = new();
        if (arguments.Positional.Length == 1)
        {
            if (arguments.Positional[0] is DictValue other) dict = other.Copy();
            else if (arguments.Positional[0] is NamespaceValue) throw Errors.Type("'Namespace' object is not iterable");
            else
                foreach (object? pair in Iteration.ToList(arguments.Positional[0]))
                {
                    object?[] halves = Iteration.Unpack(pair, 2);
                    dict[halves[0]] = halves[1];
                }
        }
        Budget.Spend(dict.Count);
        foreach ((string key, object? value) in arguments.Keywords) dict[key] = value;
        return dict;
    }
}
