namespace Dataflow.Text.Templates.Values;

/// <summary>What stands where a name or member is not defined: empty when printed or walked, a fault when used for more.</summary>
/// <param name="hint">What the fault will say.</param>
/// <param name="kind">The kind that the fault will have.</param>
internal sealed class Undefined(string hint, TemplateErrorKind kind = TemplateErrorKind.Undefined)
{
    public TemplateException Fault() => new(kind, hint);

    public static Undefined OfName(string name) => new($"{Representation.Repr(name)} is undefined");

    public static Undefined OfMember(object? owner, object? name) => name is string or Markup
        ? new($"{Representation.Repr(TypeNames.Describe(owner))} has no attribute {Representation.Repr(name)}")
        : new($"{TypeNames.Describe(owner)} has no element {ShortRepr(name)}");

    // A member's name may be anything, and most undefined values are never spoken of.
    private static string ShortRepr(object? name) =>
        name is long or bool or double or null ? Representation.Repr(name) : TypeNames.Of(name);

    public static Undefined Unsafe(object? owner, string name) =>
        new($"access to attribute {Representation.Repr(name)} of {Representation.Repr(TypeNames.Of(owner))} object is unsafe.",
            TemplateErrorKind.Security);
}
