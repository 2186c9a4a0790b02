using Dataflow.Text.Templates.Builtins;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>Output, conditions, assignments and what stands in frames of its own.</summary>
internal sealed partial class Compiler
{
    private StatementCode Output(Statement.Output statement, Frame frame)
    {
        List<StatementCode> parts = [];
        foreach (OutputPart part in statement.Parts)
        {
            if (part is OutputPart.Text { Content: var text })
            {
                parts.Add(a =>
                {
                    a.Rendering.Write(text);
                    return Flow.Next;
                });
                continue;
            }
            Expression expression = ((OutputPart.Computed)part).Expression;
            Evaluation value = Folded(expression, printed: true) ?? Compile(expression, frame);
            bool? escape = escapes;
            int line = expression.Line;
            parts.Add(a =>
            {
                a.Rendering.Line = line;
                object? result = value(a);
                a.Rendering.Write(escape ?? a.Rendering.AutoEscape ? Escaping.Escape(result).Text : Representation.Str(result));
                return Flow.Next;
            });
        }
        StatementCode[] all = [.. parts];
        return all.Length == 1 ? all[0] : a =>
        {
            foreach (StatementCode part in all) part(a);
            return Flow.Next;
        };
    }

    private StatementCode If(Statement.If statement, Frame frame)
    {
        Frame inner = frame with { IsConditional = true };
        (Evaluation Test, int Line, StatementCode Body)[] branches =
            [.. statement.Branches.Select(b => (Compile(b.Test, inner), b.Test.Line, Body(b.Body, inner)))];
        StatementCode otherwise = Body(statement.Else, inner);
        return a =>
        {
            foreach ((Evaluation test, int line, StatementCode body) in branches)
            {
                a.Rendering.Line = line;
                if (Truth.Of(test(a))) return body(a);
            }
            return otherwise(a);
        };
    }

    private StatementCode Set(Statement.Set statement, Frame frame)
    {
        Evaluation value = Compile(statement.Value, frame);
        Action<Activation> check = CheckNamespaces(statement.Target, frame);
        Action<Activation, object?> assign = Assign(statement.Target, frame);
        return a =>
        {
            check(a);
            assign(a, value(a));
            return Flow.Next;
        };
    }

    private StatementCode SetBlock(Statement.SetBlock statement, Frame frame)
    {
        Frame inner = frame.Inner();
        SymbolVisitor.Statements(inner.Symbols, statement.Body);
        if (statement.Filter is not null) SymbolVisitor.Expression(inner.Symbols, statement.Filter);
        Action<Activation> enter = inner.Enter(), leave = inner.Leave();
        StatementCode body = Body(statement.Body, inner);
        Func<Activation, string, object?> filter = statement.Filter is null ? (_, text) => text : BlockFilter(statement.Filter, inner);
        Action<Activation> check = CheckNamespaces(statement.Target, frame);
        Action<Activation, object?> assign = Assign(statement.Target, frame);
        return a =>
        {
            enter(a);
            a.Rendering.Suspend();
            Flow flow = body(a);
            string text = a.Rendering.Take();
            if (flow != Flow.Next) return flow;
            object? value = filter(a, text);
            check(a);
            assign(a, a.Rendering.AutoEscape ? new Markup(Representation.Str(value)) : value);
            leave(a);
            return Flow.Next;
        };
    }

    private StatementCode FilterBlock(Statement.FilterBlock statement, Frame frame)
    {
        Frame inner = frame.Inner();
        SymbolVisitor.Statements(inner.Symbols, statement.Body);
        SymbolVisitor.Expression(inner.Symbols, statement.Filter);
        Action<Activation> enter = inner.Enter(), leave = inner.Leave();
        StatementCode body = Body(statement.Body, inner);
        Func<Activation, string, object?> filter = BlockFilter(statement.Filter, inner);
        return a =>
        {
            enter(a);
            a.Rendering.Suspend();
            Flow flow = body(a);
            string text = a.Rendering.Take();
            if (flow != Flow.Next) return flow;
            a.Rendering.Write(RequiredText(filter(a, text)));
            leave(a);
            return Flow.Next;
        };
    }

    /// <summary>What is written without being asked for its text must be text.</summary>
    private static string RequiredText(object? value) => Equality.Text(value)
        ?? throw Errors.Type($"sequence item 0: expected str instance, {TypeNames.Of(value)} found");

    private StatementCode With(Statement.With statement, Frame frame)
    {
        Frame inner = frame.Inner();
        foreach ((Target target, _) in statement.Bindings) SymbolVisitor.Parameters(inner.Symbols, target);
        SymbolVisitor.Statements(inner.Symbols, statement.Body);
        Action<Activation> enter = inner.Enter(), leave = inner.Leave();
        (Evaluation Value, Action<Activation, object?> Assign)[] bindings =
            [.. statement.Bindings.Select(b => (Compile(b.Value, frame), Assign(b.Target, inner)))];
        StatementCode body = Body(statement.Body, inner);
        return a =>
        {
            enter(a);
            foreach ((Evaluation value, Action<Activation, object?> assign) in bindings) assign(a, value(a));
            Flow flow = body(a);
            if (flow == Flow.Next) leave(a);
            return flow;
        };
    }

    private StatementCode AutoEscape(Statement.AutoEscape statement, Frame frame)
    {
        Frame inner = frame.Inner();
        SymbolVisitor.Expression(inner.Symbols, statement.Value);
        SymbolVisitor.Statements(inner.Symbols, statement.Body);
        Action<Activation> enter = inner.Enter(), leave = inner.Leave();
        Evaluation value = Compile(statement.Value, inner);
        bool? before = escapes;
        escapes = statement.Value is Expression.Constant constant ? Truth.Of(constant.Value) : null;
        StatementCode body = Body(statement.Body, inner);
        escapes = before;
        return a =>
        {
            enter(a);
            bool outside = a.Rendering.AutoEscape;
            a.Rendering.AutoEscape = Truth.Of(value(a));
            Flow flow = body(a);
            if (flow != Flow.Next) return flow;
            a.Rendering.AutoEscape = outside;
            leave(a);
            return Flow.Next;
        };
    }

    private StatementCode Block(Statement.Block statement, Frame frame)
    {
        string name = statement.Name;
        (string Name, Evaluation Value)[] locals = statement.Scoped
            ? [.. frame.Symbols.Assigned().Select(p => (p.Key, Variables.Read(frame.Function, p.Value)))]
            : [];
        return a =>
        {
            if (statement.Required) throw new TemplateException(TemplateErrorKind.Runtime, $"Required block '{name}' not found");
            Dictionary<string, object?>? values = null;
            if (statement.Scoped)
            {
                values = a.Locals is null ? [] : new(a.Locals);
                foreach ((string local, Evaluation value) in locals)
                    if (value(a) is not Missing and var found) values[local] = found;
            }
            a.Rendering.Blocks[name](a.Rendering, values ?? a.Locals);
            return Flow.Next;
        };
    }

    private StatementCode Foreign(Statement.Foreign statement, Frame frame)
    {
        Evaluation operand = Compile(statement.Operand, frame);
        return a => operand(a) is Undefined undefined ? throw undefined.Fault()
            : throw Errors.Type("no loader for this environment specified");
    }

    /// <summary>Before anything is computed, what attributes are assigned of must be namespaces.</summary>
    private static Action<Activation> CheckNamespaces(Target target, Frame frame)
    {
        Evaluation[] owners = [.. Owners(target).Distinct().Select(name => Variables.Read(frame.Function, frame.Symbols.Find(name)!))];
        return a =>
        {
            foreach (Evaluation owner in owners)
                if (owner(a) is not NamespaceValue)
                    throw new TemplateException(TemplateErrorKind.Runtime, "cannot assign attribute on non-namespace object");
        };
    }

    private static IEnumerable<string> Owners(Target target) => target switch
    {
        Target.Attribute attribute => [attribute.Identifier],
        Target.Tuple tuple => tuple.Items.SelectMany(Owners),
        _ => [],
    };

    private static Action<Activation, object?> Assign(Target target, Frame frame)
    {
        switch (target)
        {
            case Target.Name { Identifier: var name }:
                Action<Activation, object?> assign = Variables.Assign(frame.Function, frame.Symbols.Find(name)!);
                if (!frame.IsTopLevel) return assign;
                return (a, value) =>
                {
                    assign(a, value);
                    a.Rendering.Exported[name] = value;
                };
            case Target.Attribute attribute:
                Evaluation owner = Variables.Read(frame.Function, frame.Symbols.Find(attribute.Identifier)!);
                return (a, value) => ((NamespaceValue)owner(a)!).Assign(attribute.Member, value);
            default:
                Action<Activation, object?>[] items = [.. ((Target.Tuple)target).Items.Select(item => Assign(item, frame))];
                return (a, value) =>
                {
                    object?[] values = Iteration.Unpack(value, items.Length);
                    for (int i = 0; i < items.Length; i++) items[i](a, values[i]);
                };
        }
    }
}
