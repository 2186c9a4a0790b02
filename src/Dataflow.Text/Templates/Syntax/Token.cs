namespace Dataflow.Text.Templates.Syntax;

/// <summary>A piece of a template, with the line on which it begins. The value of a number is the number; of text and names, the
/// text.</summary>
internal readonly record struct Token(TokenKind Kind, object Value, int Line)
{
    public string Text => Value as string ?? "";

    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public override string ToString() => Kind == TokenKind.Name ? Text : Describe(Kind);

    public static string Describe(TokenKind kind) => kind switch
    {
        TokenKind.Data => "template data / text",
        TokenKind.VariableBegin => "begin of print statement",
        TokenKind.VariableEnd => "end of print statement",
        TokenKind.BlockBegin => "begin of statement block",
        TokenKind.BlockEnd => "end of statement block",
        TokenKind.End => "end of template",
        TokenKind.Name => "name",
        TokenKind.String => "string",
        TokenKind.Integer => "integer",
        TokenKind.Float => "float",
        _ => Operators.First(o => o.Kind == kind).Text,
    };

    /// <summary>The operators, the longer ones first, since the longest that fits is meant.</summary>
    public static readonly (string Text, TokenKind Kind)[] Operators =
    [
        ("//", TokenKind.FloorDiv), ("**", TokenKind.Pow), ("==", TokenKind.Equal), ("!=", TokenKind.NotEqual),
        (">=", TokenKind.GreaterEqual), ("<=", TokenKind.LessEqual), ("+", TokenKind.Add), ("-", TokenKind.Sub),
        ("/", TokenKind.Div), ("*", TokenKind.Mul), ("%", TokenKind.Mod), ("~", TokenKind.Tilde), ("[", TokenKind.LeftBracket),
        ("]", TokenKind.RightBracket), ("(", TokenKind.LeftParenthesis), (")", TokenKind.RightParenthesis), ("{", TokenKind.LeftBrace),
        ("}", TokenKind.RightBrace), (">", TokenKind.Greater), ("<", TokenKind.Less), ("=", TokenKind.Assign), (".", TokenKind.Dot),
        (":", TokenKind.Colon), ("|", TokenKind.Pipe), (",", TokenKind.Comma), (";", TokenKind.Semicolon),
    ];
}
