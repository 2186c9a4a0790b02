namespace Dataflow.Text.Templates;

/// <summary>The faults that many places of the engine find, by kind.</summary>
internal static class Errors
{
    public static TemplateException Type(string detail) => new(TemplateErrorKind.Type, detail);

    public static TemplateException Value(string detail) => new(TemplateErrorKind.Value, detail);

    public static TemplateException Overflow(string detail) => new(TemplateErrorKind.Overflow, detail);

    public static TemplateException Argument(string detail) => new(TemplateErrorKind.FilterArgument, detail);

    public static TemplateException Limit(string detail) => new(TemplateErrorKind.Limit, detail);

    public static TemplateException Unsupported(string detail) => new(TemplateErrorKind.Unsupported, detail);

    public static TemplateException Recursion() => new(TemplateErrorKind.Recursion, "something is nested, or calls itself, too deeply");
}
