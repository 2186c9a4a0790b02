using System.Numerics;
using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Values;

/// <summary>The names of Python's types, for faults.</summary>
internal static class TypeNames
{
    public static string Of(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        Markup => "Markup",
        ListValue => "list",
        GroupTuple => "_GroupTuple",
        TupleValue => "tuple",
        DictValue => "dict",
        RangeValue => "range",
        BytesValue => "bytes",
        DictView v => v.Kind switch { DictViewKind.Keys => "dict_keys", DictViewKind.Values => "dict_values", _ => "dict_items" },
        GeneratorValue g => g.Name,
        NamespaceValue => "Namespace",
        Undefined => "Undefined",
        LoopContext => "LoopContext",
        Macro => "Macro",
        Callable c => c.TypeName,
        _ => "object",
    };

    /// <summary>A value as faults of undefined members name it.</summary>
    public static string Describe(object? value) => value switch
    {
        null => "None",
        NamespaceValue or Undefined or LoopContext or Macro => $"jinja2.runtime.{Of(value)} object",
        _ => $"{Of(value)} object",
    };
}
