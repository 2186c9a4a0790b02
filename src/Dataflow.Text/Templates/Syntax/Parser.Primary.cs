namespace Dataflow.Text.Templates.Syntax;

/// <summary>Names, constants and brackets, and what follows them: subscripts, calls, filters and tests.</summary>
internal sealed partial class Parser
{
    private static bool IsConstantName(string name) => name is "true" or "false" or "True" or "False" or "none" or "None";

    private Expression Primary(bool withNamespace)
    {
        Token token = Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                tokens.Next();
                if (IsConstantName(token.Text))
                    return new Expression.Constant(token.Text is "none" or "None" ? null : token.Text is "true" or "True", token.Line);
                if (!withNamespace || !tokens.SkipIf(TokenKind.Dot)) return new Expression.Name(token.Text, token.Line);
                return new NamespaceReference(token.Text, tokens.Expect(TokenKind.Name).Text, token.Line);
            case TokenKind.String:
                tokens.Next();
                List<string> pieces = [token.Text];
                while (Current.Kind == TokenKind.String) pieces.Add(tokens.Next().Text);
                return new Expression.Constant(string.Concat(pieces), token.Line);
            case TokenKind.Integer or TokenKind.Float:
                tokens.Next();
                return new Expression.Constant(token.Value, token.Line);
            case TokenKind.LeftParenthesis:
                tokens.Next();
                Deeper();
                Expression inner = TupleOrExpression(new TupleRules(Conditional: true, Explicit: true));
                nesting--;
                tokens.Expect(TokenKind.RightParenthesis);
                return inner;
            case TokenKind.LeftBracket:
                return List();
            case TokenKind.LeftBrace:
                return Dict();
            default:
                throw Fault($"unexpected '{token}'");
        }
    }

    private Expression.List List()
    {
        int line = tokens.Expect(TokenKind.LeftBracket).Line;
        List<Expression> items = [];
        while (Current.Kind != TokenKind.RightBracket)
        {
            if (items.Count > 0) tokens.Expect(TokenKind.Comma);
            if (Current.Kind == TokenKind.RightBracket) break;
            items.Add(ParseExpression());
        }
        tokens.Expect(TokenKind.RightBracket);
        return new Expression.List(items, line);
    }

    private Expression.Dict Dict()
    {
        int line = tokens.Expect(TokenKind.LeftBrace).Line;
        List<(Expression, Expression)> pairs = [];
        while (Current.Kind != TokenKind.RightBrace)
        {
            if (pairs.Count > 0) tokens.Expect(TokenKind.Comma);
            if (Current.Kind == TokenKind.RightBrace) break;
            Expression key = ParseExpression();
            tokens.Expect(TokenKind.Colon);
            pairs.Add((key, ParseExpression()));
        }
        tokens.Expect(TokenKind.RightBrace);
        return new Expression.Dict(pairs, line);
    }

    private Expression Postfix(Expression node)
    {
        for (int chain = 0; ; Chained(ref chain))
        {
            if (Current.Kind is TokenKind.Dot or TokenKind.LeftBracket) node = Subscript(node);
            else if (Current.Kind == TokenKind.LeftParenthesis) node = Call(node);
            else return node;
        }
    }

    private Expression FiltersAndTests(Expression node)
    {
        for (int chain = 0; ; Chained(ref chain))
        {
            if (Current.Kind == TokenKind.Pipe) node = Filters(node);
            else if (Current.IsName("is")) node = Test(node);
            else if (Current.Kind == TokenKind.LeftParenthesis) node = Call(node);
            else return node;
        }
    }

    private Expression Subscript(Expression node)
    {
        Token token = tokens.Next();
        if (token.Kind == TokenKind.Dot)
        {
            Token attribute = tokens.Next();
            return attribute.Kind switch
            {
                TokenKind.Name => new Expression.Attribute(node, attribute.Text, token.Line),
                TokenKind.Integer => new Expression.Item(node, new Expression.Constant(attribute.Value, attribute.Line), token.Line),
                _ => throw Fault("expected name or number", attribute.Line),
            };
        }
        List<Expression> indices = [];
        while (Current.Kind != TokenKind.RightBracket)
        {
            if (indices.Count > 0) tokens.Expect(TokenKind.Comma);
            indices.Add(SliceOrIndex());
        }
        tokens.Expect(TokenKind.RightBracket);
        return new Expression.Item(node, indices.Count == 1 ? indices[0] : new Expression.Tuple(indices, token.Line), token.Line);
    }

    private Expression SliceOrIndex()
    {
        int line = Current.Line;
        Expression? start = null;
        if (Current.Kind != TokenKind.Colon)
        {
            start = ParseExpression();
            if (Current.Kind != TokenKind.Colon) return start;
        }
        tokens.Next();
        Expression? stop = Current.Kind == TokenKind.Colon ? null : Bound();
        Expression? step = tokens.SkipIf(TokenKind.Colon) ? Bound() : null;
        return new Expression.Slice(start, stop, step, line);

        Expression? Bound() => Current.Kind is TokenKind.RightBracket or TokenKind.Comma ? null : ParseExpression();
    }

    private Expression.Call Call(Expression function)
    {
        int line = Current.Line;
        return new Expression.Call(function, Arguments(), line);
    }

    private ArgumentList Arguments()
    {
        int line = tokens.Expect(TokenKind.LeftParenthesis).Line;
        List<Expression> positional = [];
        List<(string, Expression)> keywords = [];
        Expression? spread = null, spreadKeywords = null;
        bool needsComma = false;
        while (Current.Kind != TokenKind.RightParenthesis)
        {
            if (needsComma)
            {
                tokens.Expect(TokenKind.Comma);
                if (Current.Kind == TokenKind.RightParenthesis) break;
            }
            if (tokens.SkipIf(TokenKind.Mul))
            {
                Ensure(spread is null && spreadKeywords is null);
                spread = ParseExpression();
            }
            else if (tokens.SkipIf(TokenKind.Pow))
            {
                Ensure(spreadKeywords is null);
                spreadKeywords = ParseExpression();
            }
            else if (Current.Kind == TokenKind.Name && tokens.Ahead.Kind == TokenKind.Assign)
            {
                Ensure(spreadKeywords is null);
                string name = tokens.Next().Text;
                tokens.Next();
                keywords.Add((name, ParseExpression()));
            }
            else
            {
                Ensure(spread is null && spreadKeywords is null && keywords.Count == 0);
                positional.Add(ParseExpression());
            }
            needsComma = true;
        }
        tokens.Expect(TokenKind.RightParenthesis);
        return new ArgumentList(positional, keywords, spread, spreadKeywords);

        void Ensure(bool condition)
        {
            if (!condition) throw Fault("invalid syntax for function call expression", line);
        }
    }

    /// <summary>One filter or more. Without a value, the first takes the text of a block.</summary>
    private Expression.Filtered Filters(Expression? node)
    {
        Expression.Filtered? filtered = node as Expression.Filtered;
        int chain = 0;
        while (tokens.SkipIf(TokenKind.Pipe))
        {
            Chained(ref chain);
            filtered = FilterOnce(node);
            node = filtered;
        }
        return filtered!;
    }

    private Expression.Filtered FilterOnce(Expression? node)
    {
        Token token = tokens.Expect(TokenKind.Name);
        string name = token.Text + DottedRest();
        return new Expression.Filtered(node, name, Current.Kind == TokenKind.LeftParenthesis ? Arguments() : ArgumentList.None, token.Line);
    }

    private string DottedRest()
    {
        string rest = "";
        while (tokens.SkipIf(TokenKind.Dot)) rest += "." + tokens.Expect(TokenKind.Name).Text;
        return rest;
    }

    private Expression Test(Expression node)
    {
        int line = tokens.Next().Line;
        bool negated = tokens.SkipIf("not");
        string name = tokens.Expect(TokenKind.Name).Text + DottedRest();
        ArgumentList arguments = ArgumentList.None;
        if (Current.Kind == TokenKind.LeftParenthesis) arguments = Arguments();
        else if (BeginsTestArgument())
        {
            if (Current.IsName("is")) throw Fault("You cannot chain multiple tests with is");
            arguments = new ArgumentList([Postfix(Primary(withNamespace: false))], [], null, null);
        }
        Expression test = new Expression.Tested(node, name, arguments, line);
        return negated ? new Expression.Unary(UnaryOperator.Not, test, line) : test;
    }

    private bool BeginsTestArgument() => Current.Kind switch
    {
        TokenKind.Name => Current.Text is not ("else" or "or" or "and"),
        TokenKind.String or TokenKind.Integer or TokenKind.Float or TokenKind.LeftBracket or TokenKind.LeftBrace => true,
        _ => false,
    };
}
