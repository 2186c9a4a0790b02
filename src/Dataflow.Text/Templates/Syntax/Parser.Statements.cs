namespace Dataflow.Text.Templates.Syntax;

/// <summary>The statements.</summary>
internal sealed partial class Parser
{
    private Statement.For For()
    {
        int line = tokens.Expect("for").Line;
        Target target = AssignTarget(new TupleRules(Simplified: true, EndName: "in"));
        tokens.Expect("in");
        Expression over = TupleOrExpression(new TupleRules(Conditional: false, EndName: "recursive"));
        Expression? test = tokens.SkipIf("if") ? ParseExpression() : null;
        bool recursive = tokens.SkipIf("recursive");
        List<Statement> body = Body("endfor", "else");
        List<Statement> otherwise = tokens.Next().Text == "endfor" ? [] : BodyUpTo("endfor");
        return new Statement.For(target, over, test, recursive, body, otherwise, line);
    }

    private Statement.If If()
    {
        int line = tokens.Expect("if").Line;
        List<(Expression, IReadOnlyList<Statement>)> branches = [];
        while (true)
        {
            Expression test = TupleOrExpression(new TupleRules(Conditional: false));
            branches.Add((test, Body("elif", "else", "endif")));
            Token end = tokens.Next();
            if (end.IsName("elif")) continue;
            return new Statement.If(branches, end.IsName("else") ? BodyUpTo("endif") : [], line);
        }
    }

    private Statement Set()
    {
        int line = tokens.Next().Line;
        Target target = AssignTarget(new TupleRules(Simplified: true, Namespaces: true));
        if (tokens.SkipIf(TokenKind.Assign)) return new Statement.Set(target, TupleOrExpression(TupleRules.Plain), line);
        Expression.Filtered? filter = Current.Kind == TokenKind.Pipe ? Filters(null) : null;
        return new Statement.SetBlock(target, filter, BodyUpTo("endset"), line);
    }

    private Statement.With With()
    {
        int line = tokens.Next().Line;
        List<(Target, Expression)> bindings = [];
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (bindings.Count > 0) tokens.Expect(TokenKind.Comma);
            Target target = AssignTarget(new TupleRules(Simplified: true));
            tokens.Expect(TokenKind.Assign);
            bindings.Add((target, ParseExpression()));
        }
        return new Statement.With(bindings, BodyUpTo("endwith"), line);
    }

    private Statement.AutoEscape AutoEscape()
    {
        int line = tokens.Next().Line;
        Expression value = ParseExpression();
        return new Statement.AutoEscape(value, BodyUpTo("endautoescape"), line);
    }

    private Statement.Block Block()
    {
        int line = tokens.Next().Line;
        string name = tokens.Expect(TokenKind.Name).Text;
        bool scoped = tokens.SkipIf("scoped");
        bool required = tokens.SkipIf("required");
        if (Current.Kind == TokenKind.Sub)
            throw Fault("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.");
        List<Statement> body = BodyUpTo("endblock");
        if (required && !body.All(IsBlank)) throw Fault("Required blocks can only contain comments or whitespace");
        tokens.SkipIf(name);
        return new Statement.Block(name, scoped, required, body, line);

        static bool IsBlank(Statement statement) =>
            statement is Statement.Output o && o.Parts.All(p => p is OutputPart.Text t && t.Content.All(Characters.IsSpace));
    }

    private Statement.Macro Macro()
    {
        int line = tokens.Next().Line;
        string name = NameTarget();
        Signature signature = ParseSignature();
        return new Statement.Macro(name, signature, BodyUpTo("endmacro"), line);
    }

    private Statement.CallBlock CallBlock()
    {
        int line = tokens.Next().Line;
        Signature signature = Current.Kind == TokenKind.LeftParenthesis ? ParseSignature() : Signature.None;
        if (ParseExpression() is not Expression.Call call) throw Fault("expected call", line);
        return new Statement.CallBlock(call, signature, BodyUpTo("endcall"), line);
    }

    private Statement.FilterBlock FilterBlock()
    {
        int line = tokens.Next().Line;
        Expression.Filtered filter = Filters(FilterOnce(null));
        return new Statement.FilterBlock(filter, BodyUpTo("endfilter"), line);
    }

    private Statement.Output Print()
    {
        int line = tokens.Next().Line;
        List<OutputPart> parts = [];
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (parts.Count > 0) tokens.Expect(TokenKind.Comma);
            parts.Add(new OutputPart.Computed(ParseExpression()));
        }
        return new Statement.Output(parts, line);
    }

    private Statement.Foreign Foreign()
    {
        Token tag = tokens.Next();
        Expression operand = ParseExpression();
        List<string> names = [];
        switch (tag.Text)
        {
            case "import":
                tokens.Expect("as");
                names.Add(NameTarget());
                SkipContext();
                break;
            case "from":
                tokens.Expect("import");
                ImportedNames(names);
                break;
            case "include":
                if (Current.IsName("ignore") && tokens.Ahead.IsName("missing"))
                {
                    tokens.Next();
                    tokens.Next();
                }
                SkipContext();
                break;
        }
        return new Statement.Foreign(operand, names, tag.Line);
    }

    private void ImportedNames(List<string> names)
    {
        while (true)
        {
            if (names.Count > 0) tokens.Expect(TokenKind.Comma);
            if (Current.Kind != TokenKind.Name) tokens.Expect(TokenKind.Name);
            if (SkipContext()) return;
            Token token = Current;
            string name = NameTarget();
            if (name.StartsWith('_'))
                throw new TemplateException(TemplateErrorKind.Assertion, "names starting with an underline can not be imported",
                    token.Line);
            names.Add(tokens.SkipIf("as") ? NameTarget() : name);
            if (SkipContext() || Current.Kind != TokenKind.Comma) return;
        }
    }

    private bool SkipContext()
    {
        if (!(Current.IsName("with") || Current.IsName("without")) || !tokens.Ahead.IsName("context")) return false;
        tokens.Next();
        tokens.Next();
        return true;
    }

    private Signature ParseSignature()
    {
        List<string> parameters = [];
        List<Expression> defaults = [];
        tokens.Expect(TokenKind.LeftParenthesis);
        while (Current.Kind != TokenKind.RightParenthesis)
        {
            if (parameters.Count > 0) tokens.Expect(TokenKind.Comma);
            string name = NameTarget();
            if (tokens.SkipIf(TokenKind.Assign)) defaults.Add(ParseExpression());
            else if (defaults.Count > 0) throw Fault("non-default argument follows default argument");
            if (parameters.Contains(name))
                throw new TemplateException(TemplateErrorKind.PythonSyntax, $"duplicate argument '{name}' in function definition",
                    Current.Line);
            parameters.Add(name);
        }
        tokens.Expect(TokenKind.RightParenthesis);
        return new Signature(parameters, defaults);
    }

    private string NameTarget()
    {
        Token token = tokens.Expect(TokenKind.Name);
        return IsConstantName(token.Text) ? throw Fault("can't assign to 'name'", token.Line) : token.Text;
    }

    private Target AssignTarget(TupleRules rules) => ToTarget(TupleOrExpression(rules));

    private Target ToTarget(Expression expression) => expression switch
    {
        Expression.Name n => new Target.Name(n.Identifier, n.Line),
        NamespaceReference r => new Target.Attribute(r.Identifier, r.Member, r.Line),
        Expression.Tuple t => new Target.Tuple([.. t.Items.Select(ToTarget)], t.Line),
        _ => throw Fault($"can't assign to '{NodeName(expression)}'", expression.Line),
    };

    private static string NodeName(Expression expression) => expression switch
    {
        Expression.Constant => "const",
        Expression.List => "list",
        Expression.Dict => "dict",
        _ => "expression",
    };

    /// <summary>An attribute of a namespace, on its way to being a target.</summary>
    private sealed record NamespaceReference(string Identifier, string Member, int Line) : Expression(Line);
}
