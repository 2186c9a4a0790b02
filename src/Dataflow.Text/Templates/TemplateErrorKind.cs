namespace Dataflow.Text.Templates;

/// <summary>What kind of fault a chat template has or met: the kinds that Jinja and Python tell apart, and two of our own.</summary>
public enum TemplateErrorKind
{
    /// <summary>The template itself asked for an error, by <c>raise_exception</c>.</summary>
    Raised,

    /// <summary>The template breaks the rules of the language.</summary>
    Syntax,

    /// <summary>The template names what does not exist, or assigns what cannot be assigned.</summary>
    Assertion,

    /// <summary>Something is used that is not defined.</summary>
    Undefined,

    /// <summary>A fault that is found only when the place is reached.</summary>
    Runtime,

    /// <summary>A filter was given arguments that it does not take.</summary>
    FilterArgument,

    /// <summary>The template reaches for what a sandbox closes.</summary>
    Security,

    /// <summary>A value of the wrong type.</summary>
    Type,

    /// <summary>A value of the right type that cannot be used.</summary>
    Value,

    /// <summary>An attribute that a value lacks.</summary>
    Attribute,

    /// <summary>An index outside a sequence.</summary>
    Index,

    /// <summary>A key that a mapping lacks.</summary>
    Key,

    /// <summary>A division by zero.</summary>
    ZeroDivision,

    /// <summary>A number or range too large for what is done with it.</summary>
    Overflow,

    /// <summary>Something is nested, or calls itself, too deeply.</summary>
    Recursion,

    /// <summary>A demand of the language on its arguments that failed.</summary>
    AssertionFailed,

    /// <summary>A call that cannot succeed, such as a cycle of nothing.</summary>
    RuntimeFault,

    /// <summary>Text that a character set cannot hold.</summary>
    Encoding,

    /// <summary>A rule of Python that Jinja's compiler meets, such as a break outside a loop.</summary>
    PythonSyntax,

    /// <summary>The rendering would take more steps or memory than a template may.</summary>
    Limit,

    /// <summary>What this engine does not do, because it could not do it exactly.</summary>
    Unsupported,
}
