namespace Dataflow.Text.Templates.Syntax;

/// <summary>A statement of the language, or text between statements. The cases are all that there are.</summary>
internal abstract record Statement(int Line)
{
    public sealed record Output(IReadOnlyList<OutputPart> Parts, int Line) : Statement(Line);

    public sealed record For(
        Target Target, Expression Over, Expression? Test, bool Recursive, IReadOnlyList<Statement> Body, IReadOnlyList<Statement> Else,
            int Line)
        : Statement(Line);

    public sealed record If(IReadOnlyList<(Expression Test, IReadOnlyList<Statement> Body)> Branches, IReadOnlyList<Statement> Else,
        int Line)
        : Statement(Line);

    public sealed record Macro(string Name, Signature Signature, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

    public sealed record CallBlock(Expression.Call Call, Signature Signature, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

    public sealed record FilterBlock(Expression.Filtered Filter, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

    public sealed record With(IReadOnlyList<(Target Target, Expression Value)> Bindings, IReadOnlyList<Statement> Body, int Line)
        : Statement(Line);

    public sealed record Set(Target Target, Expression Value, int Line) : Statement(Line);

    public sealed record SetBlock(Target Target, Expression.Filtered? Filter, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

    public sealed record Block(string Name, bool Scoped, bool Required, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

    public sealed record AutoEscape(Expression Value, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

    /// <summary>What the assistant wrote: the part of a conversation that training counts.</summary>
    public sealed record Generation(IReadOnlyList<Statement> Body, int Line) : Statement(Line);

    public sealed record Break(int Line) : Statement(Line);

    public sealed record Continue(int Line) : Statement(Line);

    /// <summary>A statement that needs other templates (include, import, from, extends): there are none here.</summary>
    /// <param name="Operand">The template's name.</param>
    /// <param name="Names">The names that it would bring.</param>
    /// <param name="Line">Where it stands.</param>
    public sealed record Foreign(Expression Operand, IReadOnlyList<string> Names, int Line) : Statement(Line);
}

/// <summary>Text as it stands, or the value of an expression.</summary>
internal abstract record OutputPart
{
    public sealed record Text(string Content) : OutputPart;

    public sealed record Computed(Expression Expression) : OutputPart;
}

/// <summary>The parameters of a macro or call block; the last ones have defaults.</summary>
internal sealed record Signature(IReadOnlyList<string> Parameters, IReadOnlyList<Expression> Defaults)
{
    public static readonly Signature None = new([], []);
}
