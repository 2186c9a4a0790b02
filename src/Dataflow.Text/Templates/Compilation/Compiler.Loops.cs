using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>Loops.</summary>
internal sealed partial class Compiler
{
    /// <summary>The walk of a loop: its items, as a loop variable where one is used, and what is called for the rest.</summary>
    private delegate Flow Walk(Activation activation, object? items, Func<object?, long, object?>? recurse, long depth0);

    private StatementCode Loop(Statement.For statement, Frame frame)
    {
        Evaluation over = Compile(statement.Over, frame);
        Walk walk = LoopBody(statement, frame, frame);
        return a => walk(a, over(a), null, 0);
    }

    // The loop is a function, which writes apart and gives text: so it can be called from within itself.
    private StatementCode RecursiveLoop(Statement.For statement, Frame frame)
    {
        Evaluation over = Compile(statement.Over, frame);
        Frame function = new(frame.Symbols, new FunctionScope(frame.Function));
        bool? escape = escapes;
        Walk walk = LoopBody(statement, function, frame);
        return a =>
        {
            a.Rendering.Write(RequiredText(Call(over(a), 0)));
            return Flow.Next;

            object? Call(object? items, long depth0)
            {
                a.Rendering.Suspend();
                walk(new Activation(a.Rendering, a, function.Function.Count), items, Call, depth0);
                string text = a.Rendering.Take();
                return escape ?? a.Rendering.AutoEscape ? new Markup(text) : text;
            }
        };
    }

    private Walk LoopBody(Statement.For statement, Frame frame, Frame outer)
    {
        Frame inner = frame.Inner() with { IsInLoop = true };
        bool counts = statement.Recursive || NameUse.Find(statement.Body, "loop").Count > 0
            || HasScopedBlock(statement.Body.Concat(statement.Else));
        int loopPlace = counts ? frame.Function.Declare(inner.Symbols.DeclareParameter("loop")) : -1;
        SymbolVisitor.Parameters(inner.Symbols, statement.Target);
        SymbolVisitor.Statements(inner.Symbols, statement.Body);
        foreach ((string name, int line) in NameUse.Assigned(statement))
            if (name == "loop") throw Refused("Can't assign to special loop variable in for-loop target", line);

        Func<Activation, object?, object?>? filter = statement.Test is null ? null : LoopTest(statement, outer, inner);
        Action<Activation> enter = inner.Enter(), leave = inner.Leave();
        Action<Activation, object?> assign = Assign(statement.Target, inner);
        StatementCode body = Body(statement.Body, inner);
        StatementCode? otherwise = statement.Else.Count > 0 ? LoopElse(statement, frame) : null;
        return (a, items, recurse, depth0) =>
        {
            if (filter is not null) items = filter(a, items);
            bool completed = false;
            if (counts) a.Variables[loopPlace] = Missing.Value;
            LoopContext? loop = counts ? new LoopContext(items, recurse, depth0) : null;
            IEnumerator<object?>? plain = loop is null ? Iteration.Of(items).GetEnumerator() : null;
            while (Next(loop, plain, out object? item))
            {
                Budget.Step();
                assign(a, item);
                if (counts) a.Variables[loopPlace] = loop;
                enter(a);
                Flow flow = body(a);
                if (flow == Flow.Break) break;
                // Jinja counts a round that ran to its end: after continue alone, the else is still written.
                completed |= flow == Flow.Next;
            }
            leave(a);
            return completed || otherwise is null ? Flow.Next : otherwise(a);
        };
    }

    private static bool Next(LoopContext? loop, IEnumerator<object?>? plain, out object? item)
    {
        if (loop is not null) return loop.MoveNext(out item);
        bool moved = plain!.MoveNext();
        item = moved ? plain.Current : null;
        return moved;
    }

    private static bool HasScopedBlock(IEnumerable<Statement> body) =>
        body.Any(s => s is Statement.Block { Scoped: true } || NameUse.Bodies(s).Any(HasScopedBlock));

    private StatementCode LoopElse(Statement.For statement, Frame frame)
    {
        Frame inner = frame.Inner();
        SymbolVisitor.Statements(inner.Symbols, statement.Else);
        Action<Activation> enter = inner.Enter(), leave = inner.Leave();
        StatementCode body = Body(statement.Else, inner);
        return a =>
        {
            enter(a);
            Flow flow = body(a);
            if (flow == Flow.Next) leave(a);
            return flow;
        };
    }

    /// <summary>The items that pass the test, each tested when the loop comes to it.</summary>
    private Func<Activation, object?, object?> LoopTest(Statement.For statement, Frame outer, Frame loop)
    {
        Frame frame = outer.InnerFunction();
        SymbolVisitor.Parameters(frame.Symbols, statement.Target);
        SymbolVisitor.Expression(frame.Symbols, statement.Test!);
        Action<Activation> enter = frame.Enter();
        Action<Activation, object?> assign = Assign(statement.Target, loop with { Function = frame.Function });
        Evaluation test = Compile(statement.Test!, frame);
        bool isFunction = statement.Recursive;
        return (a, items) => new GeneratorValue(Passing(isFunction ? a.Outer! : a, items));

        IEnumerable<object?> Passing(Activation a, object? items)
        {
            Activation activation = new(a.Rendering, a, frame.Function.Count);
            enter(activation);
            foreach (object? item in Iteration.Of(items))
            {
                Budget.Step();
                assign(activation, item);
                if (Truth.Of(test(activation))) yield return item;
            }
        }
    }
}
