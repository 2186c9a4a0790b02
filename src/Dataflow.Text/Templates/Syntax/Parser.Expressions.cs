namespace Dataflow.Text.Templates.Syntax;

/// <summary>The expressions: from the loosest binding to the tightest.</summary>
internal sealed partial class Parser
{
    /// <summary>How a tuple without parentheses is read.</summary>
    /// <param name="Simplified">Its items are names, constants and brackets alone.</param>
    /// <param name="Conditional">Its items may be inline ifs.</param>
    /// <param name="EndName">A name that ends it.</param>
    /// <param name="Explicit">It stands in parentheses, so it may be empty.</param>
    /// <param name="Namespaces">Its items may be attributes of namespaces.</param>
    private readonly record struct TupleRules(
        bool Simplified = false, bool Conditional = true, string? EndName = null, bool Explicit = false, bool Namespaces = false)
    {
        public static readonly TupleRules Plain = new(Conditional: true);
    }

    private Expression TupleOrExpression(TupleRules rules)
    {
        int line = Current.Line;
        List<Expression> items = [];
        bool isTuple = false;
        while (true)
        {
            if (items.Count > 0) tokens.Expect(TokenKind.Comma);
            if (IsTupleEnd(rules.EndName)) break;
            items.Add(rules.Simplified ? Primary(rules.Namespaces) : rules.Conditional ? ParseExpression() : Or());
            if (Current.Kind != TokenKind.Comma) break;
            isTuple = true;
            line = Current.Line;
        }
        if (isTuple) return new Expression.Tuple(items, line);
        if (items.Count > 0) return items[0];
        return rules.Explicit ? new Expression.Tuple([], line) : throw Fault($"Expected an expression, got '{Current}'");
    }

    private bool IsTupleEnd(string? endName) =>
        Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd or TokenKind.RightParenthesis
            || (endName is not null && Current.IsName(endName));

    private Expression ParseExpression()
    {
        Deeper();
        int line = Current.Line, chain = 0;
        Expression expression = Or();
        while (tokens.SkipIf("if"))
        {
            Chained(ref chain);
            Expression condition = Or();
            Expression? otherwise = tokens.SkipIf("else") ? ParseExpression() : null;
            expression = new Expression.Conditional(condition, expression, otherwise, line);
            line = Current.Line;
        }
        nesting--;
        return expression;
    }

    private Expression Or()
    {
        int line = Current.Line, chain = 0;
        Expression left = And();
        while (tokens.SkipIf("or"))
        {
            Chained(ref chain);
            left = new Expression.Logical(LogicalOperator.Or, left, And(), line);
            line = Current.Line;
        }
        return left;
    }

    private Expression And()
    {
        int line = Current.Line, chain = 0;
        Expression left = Not();
        while (tokens.SkipIf("and"))
        {
            Chained(ref chain);
            left = new Expression.Logical(LogicalOperator.And, left, Not(), line);
            line = Current.Line;
        }
        return left;
    }

    private Expression Not()
    {
        if (!Current.IsName("not")) return Comparison();
        int line = tokens.Next().Line;
        Deeper();
        Expression operand = Not();
        nesting--;
        return new Expression.Unary(UnaryOperator.Not, operand, line);
    }

    private Expression Comparison()
    {
        int line = Current.Line, chain = 0;
        Expression first = Sum();
        List<(ComparisonOperator, Expression)> rest = [];
        while (ComparisonSign() is { } sign)
        {
            Chained(ref chain);
            rest.Add((sign, Sum()));
            line = Current.Line;
        }
        return rest.Count == 0 ? first : new Expression.Comparison(first, rest, line);
    }

    private ComparisonOperator? ComparisonSign()
    {
        ComparisonOperator? sign = Current.Kind switch
        {
            TokenKind.Equal => ComparisonOperator.Equal,
            TokenKind.NotEqual => ComparisonOperator.NotEqual,
            TokenKind.Less => ComparisonOperator.Less,
            TokenKind.LessEqual => ComparisonOperator.LessEqual,
            TokenKind.Greater => ComparisonOperator.Greater,
            TokenKind.GreaterEqual => ComparisonOperator.GreaterEqual,
            TokenKind.Name when Current.Text == "in" => ComparisonOperator.In,
            TokenKind.Name when Current.Text == "not" && tokens.Ahead.IsName("in") => ComparisonOperator.NotIn,
            _ => null,
        };
        if (sign is null) return null;
        tokens.Next();
        if (sign == ComparisonOperator.NotIn) tokens.Next();
        return sign;
    }

    private Expression Sum()
    {
        int line = Current.Line, chain = 0;
        Expression left = Concatenation();
        while (Current.Kind is TokenKind.Add or TokenKind.Sub)
        {
            Chained(ref chain);
            BinaryOperator sign = tokens.Next().Kind == TokenKind.Add ? BinaryOperator.Add : BinaryOperator.Subtract;
            left = new Expression.Binary(sign, left, Concatenation(), line);
            line = Current.Line;
        }
        return left;
    }

    private Expression Concatenation()
    {
        int line = Current.Line;
        Expression first = Product();
        if (Current.Kind != TokenKind.Tilde) return first;
        List<Expression> parts = [first];
        while (tokens.SkipIf(TokenKind.Tilde)) parts.Add(Product());
        return new Expression.Concatenation(parts, line);
    }

    private Expression Product()
    {
        int line = Current.Line, chain = 0;
        Expression left = Power();
        while (Current.Kind is TokenKind.Mul or TokenKind.Div or TokenKind.FloorDiv or TokenKind.Mod)
        {
            Chained(ref chain);
            BinaryOperator sign = tokens.Next().Kind switch
            {
                TokenKind.Mul => BinaryOperator.Multiply,
                TokenKind.Div => BinaryOperator.Divide,
                TokenKind.FloorDiv => BinaryOperator.FloorDivide,
                _ => BinaryOperator.Modulo,
            };
            left = new Expression.Binary(sign, left, Power(), line);
            line = Current.Line;
        }
        return left;
    }

    // Jinja reads powers from the left, and a sign before its operand binds tighter than they do.
    private Expression Power()
    {
        int line = Current.Line, chain = 0;
        Expression left = Unary(withFilter: true);
        while (tokens.SkipIf(TokenKind.Pow))
        {
            Chained(ref chain);
            left = new Expression.Binary(BinaryOperator.Power, left, Unary(withFilter: true), line);
            line = Current.Line;
        }
        return left;
    }

    private Expression Unary(bool withFilter)
    {
        int line = Current.Line;
        Expression node;
        if (Current.Kind is TokenKind.Sub or TokenKind.Add)
        {
            UnaryOperator sign = tokens.Next().Kind == TokenKind.Sub ? UnaryOperator.Negative : UnaryOperator.Positive;
            Deeper();
            node = new Expression.Unary(sign, Unary(withFilter: false), line);
            nesting--;
        }
        else node = Primary(withNamespace: false);
        node = Postfix(node);
        return withFilter ? FiltersAndTests(node) : node;
    }
}
