using Dataflow.Model;

namespace Dataflow.Text.Templates;

/// <summary>A chat template cannot be read, or a conversation cannot be rendered by it.</summary>
/// <param name="kind">What kind of fault it is.</param>
/// <param name="detail">The fault in the words of the language.</param>
/// <param name="line">The line of the template, from 1; 0 where none is known.</param>
public sealed class TemplateException(TemplateErrorKind kind, string detail, int line = 0)
    : UserErrorException(Sentence(kind, detail, line))
{
    /// <summary>What kind of fault it is.</summary>
    public TemplateErrorKind Kind { get; } = kind;

    /// <summary>The fault in the words of the language.</summary>
    public string Detail { get; } = detail;

    /// <summary>The line of the template, from 1; 0 where none is known.</summary>
    public int Line { get; } = line;

    /// <summary>The fault as Python prints it: the name of its kind, a colon, the detail.</summary>
    public string Error => $"{NameOf(Kind)}: {Detail}";

    internal TemplateException At(int line) => Line > 0 || line <= 0 ? this : new TemplateException(Kind, Detail, line);

    private static string Sentence(TemplateErrorKind kind, string detail, int line) =>
        $"the chat template {(line > 0 ? $"at line {line} " : "")}{Verb(kind)}: {detail.TrimEnd('.')} ({NameOf(kind)})";

    private static string Verb(TemplateErrorKind kind) => kind switch
    {
        TemplateErrorKind.Raised => "refuses this conversation",
        TemplateErrorKind.Syntax or TemplateErrorKind.Assertion or TemplateErrorKind.PythonSyntax => "cannot be read",
        TemplateErrorKind.Limit or TemplateErrorKind.Recursion => "asks for too much",
        _ => "fails",
    };

    private static string NameOf(TemplateErrorKind kind) => kind switch
    {
        TemplateErrorKind.Raised => "TemplateError",
        TemplateErrorKind.Syntax => "TemplateSyntaxError",
        TemplateErrorKind.Assertion => "TemplateAssertionError",
        TemplateErrorKind.Undefined => "UndefinedError",
        TemplateErrorKind.Runtime => "TemplateRuntimeError",
        TemplateErrorKind.AssertionFailed => "AssertionError",
        TemplateErrorKind.RuntimeFault => "RuntimeError",
        TemplateErrorKind.Encoding => "UnicodeEncodeError",
        TemplateErrorKind.PythonSyntax => "SyntaxError",
        _ => kind + "Error",
    };
}
