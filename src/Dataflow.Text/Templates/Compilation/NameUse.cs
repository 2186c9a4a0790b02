using Dataflow.Text.Templates.Syntax;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>
/// Which of some special names (caller, kwargs, loop, self, ...) a body reads before it gives them another meaning. Jinja decides by that
/// whether a macro takes more arguments, and whether a loop counts.
/// </summary>
internal sealed class NameUse
{
    private readonly HashSet<string> names;
    private readonly HashSet<string> used = [];

    private NameUse(IEnumerable<string> names) => this.names = [.. names];

    public static HashSet<string> Find(IEnumerable<Statement> body, params string[] names)
    {
        NameUse use = new(names);
        use.Visit(body);
        return use.used;
    }

    /// <summary>The names that anything in a loop assigns: its targets, and the sets within it.</summary>
    public static IEnumerable<(string Name, int Line)> Assigned(Statement.For loop) =>
        Names(loop.Target).Concat(AssignedIn(loop.Body)).Concat(AssignedIn(loop.Else));

    private static IEnumerable<(string Name, int Line)> AssignedIn(IEnumerable<Statement> body) =>
        body.SelectMany(statement => statement switch
    {
        Statement.Set s => Names(s.Target),
        Statement.SetBlock s => Names(s.Target).Concat(AssignedIn(s.Body)),
        Statement.For f => Assigned(f),
        _ => Bodies(statement).SelectMany(AssignedIn),
    });

    private static IEnumerable<(string Name, int Line)> Names(Target target) => target switch
    {
        Target.Name n => [(n.Identifier, n.Line)],
        Target.Tuple t => t.Items.SelectMany(Names),
        _ => [],
    };

    public static IEnumerable<IReadOnlyList<Statement>> Bodies(Statement statement) => statement switch
    {
        Statement.For f => [f.Body, f.Else],
        Statement.If i => [.. i.Branches.Select(b => b.Body), i.Else],
        Statement.Macro m => [m.Body],
        Statement.CallBlock c => [c.Body],
        Statement.FilterBlock f => [f.Body],
        Statement.With w => [w.Body],
        Statement.SetBlock s => [s.Body],
        Statement.Block b => [b.Body],
        Statement.AutoEscape a => [a.Body],
        Statement.Generation g => [g.Body],
        _ => [],
    };

    private void Visit(IEnumerable<Statement> body)
    {
        foreach (Statement statement in body) Visit(statement);
    }

    private void Visit(Statement statement)
    {
        switch (statement)
        {
            case Statement.Block: return;
            case Statement.Output o:
                foreach (OutputPart part in o.Parts)
                    if (part is OutputPart.Computed v) Visit(v.Expression);
                return;
            case Statement.For f:
                Visit(f.Target);
                Visit(f.Over);
                Visit(f.Body);
                Visit(f.Else);
                if (f.Test is not null) Visit(f.Test);
                return;
            case Statement.If i:
                foreach ((Expression test, IReadOnlyList<Statement> branch) in i.Branches)
                {
                    Visit(test);
                    Visit(branch);
                }
                Visit(i.Else);
                return;
            case Statement.Macro m: Visit(m.Signature); break;
            case Statement.CallBlock c:
                Visit(c.Call);
                Visit(c.Signature);
                break;
            case Statement.FilterBlock f:
                Visit(f.Body);
                Visit(f.Filter);
                return;
            case Statement.With w:
                foreach ((Target target, _) in w.Bindings) Visit(target);
                foreach ((_, Expression value) in w.Bindings) Visit(value);
                break;
            case Statement.Set s:
                Visit(s.Target);
                Visit(s.Value);
                return;
            case Statement.SetBlock s:
                Visit(s.Target);
                if (s.Filter is not null) Visit(s.Filter);
                break;
            case Statement.AutoEscape a: Visit(a.Value); break;
            case Statement.Foreign f: Visit(f.Operand); return;
        }
        foreach (IReadOnlyList<Statement> body in Bodies(statement)) Visit(body);
    }

    private void Visit(Signature signature)
    {
        names.ExceptWith(signature.Parameters);
        foreach (Expression value in signature.Defaults) Visit(value);
    }

    private void Visit(Target target)
    {
        foreach (string name in SymbolVisitor.NamesOf(target)) names.Remove(name);
    }

    private void Visit(Expression expression)
    {
        Execution.Budget.CheckStack();
        if (expression is Expression.Name n)
        {
            // A name that is read and is none of these is no longer looked for either, which only ever drops what is not there.
            if (names.Contains(n.Identifier)) used.Add(n.Identifier);
            return;
        }
        foreach (Expression child in SymbolVisitor.Children(expression)) Visit(child);
    }
}
