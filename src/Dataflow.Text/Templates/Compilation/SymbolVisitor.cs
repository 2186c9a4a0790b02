using Dataflow.Text.Templates.Syntax;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>Finds which names statements read and assign, in the order in which they are written.</summary>
internal sealed class SymbolVisitor
{
    private Symbols symbols;

    private SymbolVisitor(Symbols symbols) => this.symbols = symbols;

    public static void Statements(Symbols symbols, IEnumerable<Statement> body)
    {
        SymbolVisitor visitor = new(symbols);
        foreach (Statement statement in body) visitor.Visit(statement);
    }

    public static void Expression(Symbols symbols, Expression expression) => new SymbolVisitor(symbols).Visit(expression);

    public static void Parameters(Symbols symbols, Target target)
    {
        foreach (string name in NamesOf(target)) symbols.DeclareParameter(name);
    }

    public static IEnumerable<string> NamesOf(Target target) => target switch
    {
        Target.Name n => [n.Identifier],
        Target.Tuple t => t.Items.SelectMany(NamesOf),
        _ => [],
    };

    private void Visit(Target target)
    {
        switch (target)
        {
            case Target.Name n: symbols.Store(n.Identifier); break;
            case Target.Attribute a: symbols.Read(a.Identifier); break;
            case Target.Tuple t:
                foreach (Target item in t.Items) Visit(item);
                break;
        }
    }

    private void Visit(Statement statement)
    {
        switch (statement)
        {
            case Statement.Output o:
                foreach (OutputPart part in o.Parts)
                    if (part is OutputPart.Computed v) Visit(v.Expression);
                break;
            case Statement.If i: VisitIf(i, 0); break;
            case Statement.Macro m: symbols.Store(m.Name); break;
            case Statement.Set s:
                Visit(s.Value);
                Visit(s.Target);
                break;
            case Statement.SetBlock s: Visit(s.Target); break;
            case Statement.For f: Visit(f.Over); break;
            case Statement.CallBlock c: Visit(c.Call); break;
            case Statement.FilterBlock f: Visit(f.Filter); break;
            case Statement.With w:
                foreach ((_, Expression value) in w.Bindings) Visit(value);
                break;
            case Statement.Foreign f:
                Visit(f.Operand);
                foreach (string name in f.Names) symbols.Store(name);
                break;
        }
    }

    // The elifs stand in one branch together, one after the other: each is an if of its own for what it reads and assigns.
    private void VisitIf(Statement.If statement, int branch)
    {
        Visit(statement.Branches[branch].Test);
        Symbols original = symbols;
        Symbols body = Inner(() => VisitAll(statement.Branches[branch].Body));
        if (branch > 0)
        {
            symbols.Merge(body, original.Copy(), original.Copy());
            return;
        }
        Symbols elifs = Inner(() =>
        {
            for (int i = 1; i < statement.Branches.Count; i++) VisitIf(statement, i);
        });
        Symbols otherwise = Inner(() => VisitAll(statement.Else));
        original.Merge(body, elifs, otherwise);

        Symbols Inner(Action visit)
        {
            Symbols before = symbols;
            Symbols copy = symbols = before.Copy();
            visit();
            symbols = before;
            return copy;
        }
    }

    private void VisitAll(IEnumerable<Statement> statements)
    {
        foreach (Statement statement in statements) Visit(statement);
    }

    private void Visit(Expression expression)
    {
        Execution.Budget.CheckStack();
        if (expression is Expression.Name n) symbols.Read(n.Identifier);
        else
            foreach (Expression child in Children(expression)) Visit(child);
    }

    /// <summary>The parts of an expression, in the order in which Jinja looks at them.</summary>
    public static IEnumerable<Expression> Children(Expression expression) => expression switch
    {
        Expression.Tuple t => t.Items,
        Expression.List l => l.Items,
        Expression.Dict d => d.Pairs.SelectMany(p => new[] { p.Key, p.Value }),
        Expression.Attribute a => [a.Of],
        Expression.Item i => [i.Of, i.Index],
        Expression.Slice s => new[] { s.Start, s.Stop, s.Step }.OfType<Expression>(),
        Expression.Call c => [c.Function, .. Of(c.Arguments)],
        Expression.Filtered f => f.Of is null ? Of(f.Arguments) : [f.Of, .. Of(f.Arguments)],
        Expression.Tested t => [t.Of, .. Of(t.Arguments)],
        Expression.Unary u => [u.Operand],
        Expression.Binary b => [b.Left, b.Right],
        Expression.Logical l => [l.Left, l.Right],
        Expression.Comparison c => [c.First, .. c.Rest.Select(r => r.Right)],
        Expression.Concatenation c => c.Parts,
        Expression.Conditional c => c.Else is null ? [c.Condition, c.Then] : [c.Condition, c.Then, c.Else],
        _ => [],
    };

    private static IEnumerable<Expression> Of(ArgumentList arguments)
    {
        foreach (Expression positional in arguments.Positional) yield return positional;
        foreach ((_, Expression value) in arguments.Keywords) yield return value;
        if (arguments.Spread is not null) yield return arguments.Spread;
        if (arguments.SpreadKeywords is not null) yield return arguments.SpreadKeywords;
    }
}
