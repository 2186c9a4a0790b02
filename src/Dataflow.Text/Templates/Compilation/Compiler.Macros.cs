using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>Macros, and the bodies that call blocks and generation blocks give as macros.</summary>
internal sealed partial class Compiler
{
    private StatementCode MacroDefinition(Statement.Macro statement, Frame frame)
    {
        Func<Activation, Macro> macro = MacroFunction(statement.Name, statement.Signature, statement.Body, statement.Line, frame);
        Action<Activation, object?> assign = Assign(new Target.Name(statement.Name, statement.Line), frame);
        return a =>
        {
            assign(a, macro(a));
            return Flow.Next;
        };
    }

    private StatementCode CallBlock(Statement.CallBlock statement, Frame frame)
    {
        Func<Activation, Macro> caller = MacroFunction(null, statement.Signature, statement.Body, statement.Line, frame);
        Evaluation function = Compile(statement.Call.Function, frame);
        Func<Activation, Arguments> arguments = CompileArguments(statement.Call.Arguments, frame, statement.Call.Line);
        return a =>
        {
            Macro body = caller(a);
            object? called = function(a);
            Arguments given = arguments(a);
            if (given.Keywords.Any(k => k.Key == "caller")) throw Errors.Type("got multiple values for keyword argument 'caller'");
            object? value = Calls.Invoke(a.Rendering, called, given with { Keywords = [.. given.Keywords, new("caller", body)] });
            a.Rendering.Write(RequiredText(value));
            return Flow.Next;
        };
    }

    private StatementCode Generation(Statement.Generation statement, Frame frame)
    {
        Func<Activation, Macro> body = MacroFunction(null, Signature.None, statement.Body, statement.Line, frame);
        return a =>
        {
            string text = Representation.Str(body(a).Call(a.Rendering, Arguments.None));
            int start = a.Rendering.Length;
            if (a.Rendering.IsBuffered) a.Rendering.HasUnplacedGeneration = true;
            else a.Rendering.Generations.Add((start, start + text.Length));
            a.Rendering.Write(text);
            return Flow.Next;
        };
    }

    private Func<Activation, Macro> MacroFunction(string? name, Signature signature, IReadOnlyList<Statement> body, int line, Frame outer)
    {
        Frame frame = outer.InnerFunction();
        List<string> places = [.. signature.Parameters.Select(frame.Symbols.DeclareParameter)];
        foreach (Expression value in signature.Defaults) SymbolVisitor.Expression(frame.Symbols, value);
        SymbolVisitor.Statements(frame.Symbols, body);
        MacroUses uses = UsesOf(signature, body, line);
        if (uses.Caller && !signature.Parameters.Contains("caller")) places.Add(frame.Symbols.DeclareParameter("caller"));
        if (uses.Keywords) places.Add(frame.Symbols.DeclareParameter("kwargs"));
        if (uses.Positional) places.Add(frame.Symbols.DeclareParameter("varargs"));
        int[] slots = [.. places.Select(frame.Function.Declare)];

        Action<Activation> enter = frame.Enter();
        int firstDefault = signature.Parameters.Count - signature.Defaults.Count;
        Evaluation?[] defaults = [
            .. signature.Parameters.Select((_, i) => i < firstDefault ? null : Compile(signature.Defaults[i - firstDefault], frame))];
        StatementCode run = Body(body, frame);
        return a =>
        {
            return new Macro(name, signature.Parameters, uses, a.Rendering.AutoEscape, Text);

            string Text(object?[] arguments)
            {
                Activation activation = new(a.Rendering, a, frame.Function.Count);
                for (int i = 0; i < slots.Length; i++) activation.Variables[slots[i]] = arguments[i];
                a.Rendering.Suspend();
                enter(activation);
                for (int i = 0; i < defaults.Length; i++)
                    if (activation.Variables[slots[i]] is Missing)
                        activation.Variables[slots[i]] = defaults[i] is { } value ? value(activation)
                            : new Undefined($"parameter {Representation.Repr(signature.Parameters[i])} was not provided");
                run(activation);
                return a.Rendering.Take();
            }
        };
    }

    private static MacroUses UsesOf(Signature signature, IReadOnlyList<Statement> body, int line)
    {
        HashSet<string> used = NameUse.Find(body, "caller", "kwargs", "varargs");
        int caller = signature.Parameters.ToList().IndexOf("caller");
        if (used.Contains("caller") && caller >= 0 && caller < signature.Parameters.Count - signature.Defaults.Count)
            throw Refused(
                "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.", line);
        return new MacroUses(
            used.Contains("caller"),
            used.Contains("kwargs") && !signature.Parameters.Contains("kwargs"),
            used.Contains("varargs") && !signature.Parameters.Contains("varargs"));
    }
}
