namespace Dataflow.Text.Templates.Syntax;

/// <summary>Tokens with a look at the one after the current one.</summary>
internal sealed class TokenReader
{
    private readonly IEnumerator<Token> tokens;
    private Token? ahead;

    public TokenReader(string source)
    {
        tokens = Lexer.Tokenize(source).GetEnumerator();
        Current = new Token(TokenKind.End, "", 1);
        Current = Read();
    }

    public Token Current { get; private set; }

    public Token Ahead => ahead ??= Current.Kind == TokenKind.End ? Current : Read();

    public Token Next()
    {
        Token current = Current;
        if (ahead is { } next)
        {
            Current = next;
            ahead = null;
        }
        else Current = Read();
        return current;
    }

    public bool SkipIf(TokenKind kind)
    {
        if (Current.Kind != kind) return false;
        Next();
        return true;
    }

    public bool SkipIf(string name)
    {
        if (!Current.IsName(name)) return false;
        Next();
        return true;
    }

    public Token Expect(TokenKind kind) => Current.Kind == kind ? Next() : throw Unexpected(Token.Describe(kind));

    public Token Expect(string name) => Current.IsName(name) ? Next() : throw Unexpected(name);

    private TemplateException Unexpected(string expected) => new(
        TemplateErrorKind.Syntax,
        Current.Kind == TokenKind.End
            ? $"unexpected end of template, expected '{expected}'."
            : $"expected token '{expected}', got '{Current}'",
        Current.Line);

    private Token Read() => tokens.MoveNext() ? tokens.Current : new Token(TokenKind.End, "", Current.Line);
}
