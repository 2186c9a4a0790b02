using System.Numerics;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>
/// The attributes that values have in Python, as far as the sandbox lets them be reached: methods that would change a value, and what
/// begins with an underscore, are there but closed.
/// </summary>
internal static class Attributes
{
    private static readonly object Closed = new();

    private static readonly HashSet<string> ListChanges = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];

    private static readonly HashSet<string> DictChanges = ["clear", "pop", "popitem", "setdefault", "update"];

    /// <summary>What every object has.</summary>
    private static readonly HashSet<string> Common =
    [
        "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__", "__getstate__", "__gt__",
        "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__",
        "__setattr__", "__sizeof__", "__str__", "__subclasshook__",
    ];

    private static readonly HashSet<string> OfContainers = ["__contains__", "__getitem__", "__iter__", "__len__", "__add__", "__mul__",
        "__rmul__"];

    private static readonly HashSet<string> OfFunctions =
        ["__call__", "__globals__", "__code__", "__closure__", "__defaults__", "__dict__", "__func__", "__name__", "__qualname__",
            "__module__", "__self__"];

    /// <summary>Whether Python's getattr finds something, be it closed or not.</summary>
    public static bool TryGet(object? owner, string name, out object? value)
    {
        if (owner is NamespaceValue ns && name != "__class__") return ns.Attributes.TryGetValue(name, out value);
        if (name.StartsWith("__", StringComparison.Ordinal))
        {
            value = Closed;
            return Common.Contains(name)
                || (owner is string or Markup or ListValue or TupleValue or DictValue && OfContainers.Contains(name))
                || (owner is Callable && OfFunctions.Contains(name)) || (owner is Markup && name == "__html__");
        }
        value = Find(owner, name) ?? Missing.Value;
        return value is not Missing;
    }

    /// <summary>An attribute that was found, or what stands for one that may not be reached.</summary>
    public static object? Guarded(object? owner, string name, object? value)
    {
        bool closed = value == Closed || name.StartsWith('_')
            || (owner is ListValue && ListChanges.Contains(name)) || (owner is DictValue && DictChanges.Contains(name))
                || (owner is TypeFunction && name == "mro");
        return closed ? Undefined.Unsafe(owner, name) : value == Nothing ? null : value;
    }

    // Null stands for an attribute that is not there; this, for one that is None.
    private static readonly object Nothing = new();

    private static object? Find(object? owner, string name)
    {
        switch (owner)
        {
            case Undefined undefined:
                if (name.StartsWith("_undefined", StringComparison.Ordinal)) return Closed;
                throw undefined.Fault();
            case string or Markup: return StringMethods.All.TryGetValue(name, out Builtin? method) ? Text(owner, method)
                : MarkupMember(owner, name);
            case ListValue list when ListChanges.Contains(name): return Closed;
            case ListValue: return Bound(SequenceMethods.OfList, owner, name);
            case GroupTuple group when name is "grouper" or "list": return name == "list" ? group.List : group.Items[0] ?? Nothing;
            case TupleValue: return Bound(SequenceMethods.OfTuple, owner, name);
            case DictValue when DictChanges.Contains(name): return Closed;
            case DictValue: return Bound(DictMethods.All, owner, name);
            case bool or long or BigInteger: return IntegerMember(owner, name) ?? Bound(NumberMethods.OfInteger, owner, name);
            case double number: return name switch { "real" => number, "imag" => 0.0, _ => Bound(NumberMethods.OfFloat, owner, name) };
            case RangeValue range: return RangeMember(range, name) ?? Bound(SequenceMethods.OfTuple, owner, name);
            case BytesValue: return Bound(SequenceMethods.OfBytes, owner, name);
            case LoopContext loop: return LoopMember(loop, name);
            case Macro macro: return MacroMember(macro, name);
            case Cycler cycler: return cycler.Member(name);
            case TemplateReference self: return self.TryGet(name, out object? block) ? block : null;
            case BlockReference inner when name == "super": return new Undefined($"there is no parent block called '{inner.Name}'.");
            case TypeFunction { Name: "dict" } when name == "fromkeys": return new BoundMethod(DictMethods.FromKeys, owner);
            case TypeFunction { Name: "dict" } when DictMethods.All.ContainsKey(name) || DictChanges.Contains(name):
                throw Errors.Unsupported($"methods of the type dict, such as {name}, without a value of it");
            case TypeFunction when name == "mro": return Closed;
            default: return null;
        }
    }

    private static BoundMethod Text(object owner, Builtin method) =>
        new(owner is Markup ? MarkupMethods.Of(method) : method, owner);

    private static BoundMethod? MarkupMember(object owner, string name) =>
        owner is Markup && MarkupMethods.Own.TryGetValue(name, out Builtin? method) ? new BoundMethod(method, owner) : null;

    private static BoundMethod? Bound(IReadOnlyDictionary<string, Builtin> methods, object? owner, string name) =>
        methods.TryGetValue(name, out Builtin? method) ? new BoundMethod(method, owner) : null;

    private static object? IntegerMember(object owner, string name)
    {
        if (name is not ("real" or "numerator" or "imag" or "denominator")) return null;
        Numbers.IsInteger(owner, out BigInteger value);
        return name switch { "imag" => 0L, "denominator" => 1L, _ => Numbers.Shrink(value) };
    }

    private static object? RangeMember(RangeValue range, string name) => name switch
    {
        "start" => range.Start,
        "stop" => range.Stop,
        "step" => range.Step,
        _ => null,
    };

    private static object? LoopMember(LoopContext loop, string name) => name switch
    {
        "index" => loop.Index,
        "index0" => loop.Index0,
        "revindex" => loop.Length - loop.Index0,
        "revindex0" => loop.Length - loop.Index,
        "first" => loop.IsFirst,
        "last" => loop.IsLast,
        "length" => loop.Length,
        "depth" => loop.Depth0 + 1,
        "depth0" => loop.Depth0,
        "previtem" => loop.PreviousItem ?? Nothing,
        "nextitem" => loop.NextItem ?? Nothing,
        "cycle" => new BoundMethod(LoopMethods.Cycle, loop),
        "changed" => new BoundMethod(LoopMethods.Changed, loop),
        "_iterable" or "_iterator" or "_length" or "_recurse" or "_undefined" or "_current" => Closed,
        _ => null,
    };

    private static object? MacroMember(Macro macro, string name) => name switch
    {
        "name" => macro.IsCaller ? Nothing : macro.Name,
        "arguments" => new TupleValue([.. macro.Parameters]),
        "catch_kwargs" => macro.Uses.Keywords,
        "catch_varargs" => macro.Uses.Positional,
        "caller" => macro.Uses.Caller,
        "explicit_caller" => macro.Parameters.Contains("caller"),
        "_func" or "_environment" or "_argument_count" or "_default_autoescape" or "_invoke" => Closed,
        _ => null,
    };
}
