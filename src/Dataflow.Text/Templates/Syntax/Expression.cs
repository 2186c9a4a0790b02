namespace Dataflow.Text.Templates.Syntax;

internal enum UnaryOperator
{
    Not,
    Negative,
    Positive,
}

internal enum BinaryOperator
{
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

internal enum ComparisonOperator
{
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
}

internal enum LogicalOperator
{
    And,
    Or,
}

/// <summary>An expression of the language. The cases are all that there are.</summary>
internal abstract record Expression(int Line)
{
    public sealed record Constant(object? Value, int Line) : Expression(Line);

    public sealed record Name(string Identifier, int Line) : Expression(Line);

    public sealed record Tuple(IReadOnlyList<Expression> Items, int Line) : Expression(Line);

    public sealed record List(IReadOnlyList<Expression> Items, int Line) : Expression(Line);

    public sealed record Dict(IReadOnlyList<(Expression Key, Expression Value)> Pairs, int Line) : Expression(Line);

    public sealed record Attribute(Expression Of, string Member, int Line) : Expression(Line);

    public sealed record Item(Expression Of, Expression Index, int Line) : Expression(Line);

    public sealed record Slice(Expression? Start, Expression? Stop, Expression? Step, int Line) : Expression(Line);

    public sealed record Call(Expression Function, ArgumentList Arguments, int Line) : Expression(Line);

    /// <param name="Of">What is filtered; null in a filter block, where the block's text is.</param>
    /// <param name="Filter">The filter's name.</param>
    /// <param name="Arguments">What it is given besides.</param>
    /// <param name="Line">Where it stands.</param>
    public sealed record Filtered(Expression? Of, string Filter, ArgumentList Arguments, int Line) : Expression(Line);

    public sealed record Tested(Expression Of, string Test, ArgumentList Arguments, int Line) : Expression(Line);

    public sealed record Unary(UnaryOperator Operator, Expression Operand, int Line) : Expression(Line);

    public sealed record Binary(BinaryOperator Operator, Expression Left, Expression Right, int Line) : Expression(Line);

    public sealed record Logical(LogicalOperator Operator, Expression Left, Expression Right, int Line) : Expression(Line);

    public sealed record Comparison(Expression First, IReadOnlyList<(ComparisonOperator Operator, Expression Right)> Rest, int Line)
        : Expression(Line);

    public sealed record Concatenation(IReadOnlyList<Expression> Parts, int Line) : Expression(Line);

    public sealed record Conditional(Expression Condition, Expression Then, Expression? Else, int Line) : Expression(Line);
}

/// <summary>What a call is given, in the order in which it is written.</summary>
internal sealed record ArgumentList(
    IReadOnlyList<Expression> Positional,
    IReadOnlyList<(string Name, Expression Value)> Keywords,
    Expression? Spread,
    Expression? SpreadKeywords)
{
    public static readonly ArgumentList None = new([], [], null, null);
}
