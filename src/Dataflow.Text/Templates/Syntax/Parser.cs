namespace Dataflow.Text.Templates.Syntax;

/// <summary>A template as a tree. The first fault ends it, with the line that Jinja names.</summary>
internal sealed partial class Parser
{
    // A tree deeper than this would be walked by as many calls: what people write nests a few dozen levels at most.
    private const int MaximumNesting = 150;
    private const int MaximumChain = 2000;

    private readonly TokenReader tokens;
    private readonly List<string[]> endNames = [];
    private readonly List<string> tags = [];
    private int nesting;

    private Parser(string source) => tokens = new TokenReader(source);

    public static IReadOnlyList<Statement> Parse(string source) => new Parser(source).Statements([]);

    private Token Current => tokens.Current;

    private TemplateException Fault(string message, int? line = null) => new(TemplateErrorKind.Syntax, message, line ?? Current.Line);

    private void Deeper()
    {
        if (++nesting > MaximumNesting)
            throw new TemplateException(TemplateErrorKind.Recursion, $"more than {MaximumNesting} levels of nesting", Current.Line);
    }

    private void Chained(ref int length)
    {
        if (++length > MaximumChain)
            throw new TemplateException(TemplateErrorKind.Recursion, $"an expression of more than {MaximumChain} parts", Current.Line);
    }

    /// <summary>The body of a statement: up to one of the names, which stays the current token.</summary>
    private List<Statement> Body(params string[] ends)
    {
        tokens.SkipIf(TokenKind.Colon);
        tokens.Expect(TokenKind.BlockEnd);
        List<Statement> body = Statements(ends);
        if (Current.Kind == TokenKind.End) throw Unclosed(null, [.. endNames, ends], null);
        return body;
    }

    private List<Statement> BodyUpTo(string end)
    {
        List<Statement> body = Body(end);
        tokens.Next();
        return body;
    }

    private List<Statement> Statements(string[] ends)
    {
        Deeper();
        List<Statement> body = [];
        List<OutputPart> output = [];
        int outputLine = 0;
        if (ends.Length > 0) endNames.Add(ends);
        while (Current.Kind != TokenKind.End)
        {
            Token token = Current;
            if (token.Kind == TokenKind.BlockBegin)
            {
                Flush();
                tokens.Next();
                if (ends.Any(Current.IsName)) break;
                body.Add(Statement());
                tokens.Expect(TokenKind.BlockEnd);
                continue;
            }
            tokens.Next();
            OutputPart part;
            if (token.Kind == TokenKind.Data) part = new OutputPart.Text(token.Text);
            else
            {
                part = new OutputPart.Computed(TupleOrExpression(TupleRules.Plain));
                tokens.Expect(TokenKind.VariableEnd);
            }
            if (output.Count == 0) outputLine = part is OutputPart.Computed v ? v.Expression.Line : token.Line;
            output.Add(part);
        }
        Flush();
        if (ends.Length > 0) endNames.RemoveAt(endNames.Count - 1);
        nesting--;
        return body;

        void Flush()
        {
            if (output.Count == 0) return;
            body.Add(new Statement.Output(output.ToArray(), outputLine));
            output.Clear();
        }
    }

    private Statement Statement()
    {
        Token token = Current;
        if (token.Kind != TokenKind.Name) throw Fault("tag name expected");
        tags.Add(token.Text);
        Statement statement = token.Text switch
        {
            "for" => For(),
            "if" => If(),
            "set" => Set(),
            "macro" => Macro(),
            "call" => CallBlock(),
            "filter" => FilterBlock(),
            "with" => With(),
            "block" => Block(),
            "autoescape" => AutoEscape(),
            "print" => Print(),
            "generation" => new Statement.Generation(BodyOfTag("endgeneration"), token.Line),
            "break" => new Statement.Break(tokens.Next().Line),
            "continue" => new Statement.Continue(tokens.Next().Line),
            "include" or "import" or "from" or "extends" => Foreign(),
            _ => throw UnknownTag(token),
        };
        tags.RemoveAt(tags.Count - 1);
        return statement;
    }

    private List<Statement> BodyOfTag(string end)
    {
        tokens.Next();
        return BodyUpTo(end);
    }

    private TemplateException UnknownTag(Token token)
    {
        tags.RemoveAt(tags.Count - 1);
        return Unclosed(token.Text, endNames, token.Line);
    }

    private TemplateException Unclosed(string? name, List<string[]> ends, int? line)
    {
        string message = name is null ? "Unexpected end of template." : $"Encountered unknown tag '{name}'.";
        if (ends.Count > 0)
        {
            string looking = string.Join(" or ", ends[^1].Select(e => $"'{e}'"));
            message += name is not null && ends.Any(e => e.Contains(name))
                ? $" You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}."
                : $" Jinja was looking for the following tags: {looking}.";
        }
        if (tags.Count > 0) message += $" The innermost block that needs to be closed is '{tags[^1]}'.";
        return Fault(message, line);
    }
}
