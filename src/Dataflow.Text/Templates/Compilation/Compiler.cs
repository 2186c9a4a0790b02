using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>
/// A tree as what runs it: one closure a node, with every variable's place decided. What Jinja's compiler refuses is refused here, whether
/// it would be reached or not.
/// </summary>
internal sealed partial class Compiler
{
    private readonly Dictionary<string, Statement.Block> blocks = [];

    // Whether values are escaped here; null where only running will tell.
    private bool? escapes = false;
    private int depth;

    private Compiler()
    {
    }

    public static CompiledTemplate Compile(IReadOnlyList<Statement> body)
    {
        Compiler compiler = new();
        compiler.FindBlocks(body);
        Frame root = new(new Symbols(null), new FunctionScope(null)) { IsTopLevel = true };
        Action<Activation> self = SpecialNames(root, body, null);
        SymbolVisitor.Statements(root.Symbols, body);
        Action<Activation> enter = root.Enter();
        StatementCode run = compiler.Body(body, root);
        Dictionary<string, BlockBody> compiled = compiler.blocks.ToDictionary(b => b.Key, b => compiler.BlockFunction(b.Value));
        return new CompiledTemplate(
            rendering =>
            {
                Activation activation = new(rendering, null, root.Function.Count);
                self(activation);
                enter(activation);
                run(activation);
            },
            compiled,
            HasGeneration(body));
    }

    private static bool HasGeneration(IEnumerable<Statement> body) =>
        body.Any(s => s is Statement.Generation || NameUse.Bodies(s).Any(HasGeneration));

    private void FindBlocks(IEnumerable<Statement> body)
    {
        foreach (Statement statement in body)
        {
            if (statement is Statement.Block block && !blocks.TryAdd(block.Name, block))
                throw Refused($"block '{block.Name}' defined twice", block.Line);
            foreach (IReadOnlyList<Statement> inner in NameUse.Bodies(statement)) FindBlocks(inner);
        }
    }

    private BlockBody BlockFunction(Statement.Block block)
    {
        Frame frame = new(new Symbols(null), new FunctionScope(null));
        Action<Activation> special = SpecialNames(frame, block.Body, block.Name);
        SymbolVisitor.Statements(frame.Symbols, block.Body);
        Action<Activation> enter = frame.Enter();
        StatementCode run = Body(block.Body, frame);
        return (rendering, locals) =>
        {
            Budget.CheckStack();
            Budget.Step();
            Activation activation = new(rendering, null, frame.Function.Count, locals);
            special(activation);
            enter(activation);
            run(activation);
        };
    }

    /// <summary>The variables self and super, where a body reads them.</summary>
    private static Action<Activation> SpecialNames(Frame frame, IReadOnlyList<Statement> body, string? block)
    {
        HashSet<string> used = block is null ? NameUse.Find(body, "self") : NameUse.Find(body, "self", "super");
        Action<Activation>? self = null, super = null;
        if (used.Contains("self"))
        {
            int place = frame.Function.Declare(frame.Symbols.DeclareParameter("self"));
            self = a => a.Variables[place] = new TemplateReference(a.Rendering);
        }
        if (used.Contains("super"))
        {
            int place = frame.Function.Declare(frame.Symbols.DeclareParameter("super"));
            super = a => a.Variables[place] = new Undefined($"there is no parent block called '{block}'.");
        }
        return a =>
        {
            self?.Invoke(a);
            super?.Invoke(a);
        };
    }

    private StatementCode Body(IReadOnlyList<Statement> body, Frame frame)
    {
        StatementCode[] steps = [.. body.Select(s => Compile(s, frame))];
        return steps.Length == 1 ? steps[0] : a =>
        {
            foreach (StatementCode step in steps)
            {
                Flow flow = step(a);
                if (flow != Flow.Next) return flow;
            }
            return Flow.Next;
        };
    }

    private StatementCode Compile(Statement statement, Frame frame)
    {
        Budget.CheckStack();
        StatementCode run = statement switch
        {
            Statement.Output s => Output(s, frame),
            Statement.If s => If(s, frame),
            Statement.For s => s.Recursive ? RecursiveLoop(s, frame) : Loop(s, frame),
            Statement.Set s => Set(s, frame),
            Statement.SetBlock s => SetBlock(s, frame),
            Statement.Macro s => MacroDefinition(s, frame),
            Statement.CallBlock s => CallBlock(s, frame),
            Statement.Generation s => Generation(s, frame),
            Statement.FilterBlock s => FilterBlock(s, frame),
            Statement.With s => With(s, frame),
            Statement.AutoEscape s => AutoEscape(s, frame),
            Statement.Block s => Block(s, frame),
            Statement.Foreign s => Foreign(s, frame),
            Statement.Break s => Leave(frame, Flow.Break, "'break' outside loop", s.Line),
            Statement.Continue s => Leave(frame, Flow.Continue, "'continue' not properly in loop", s.Line),
            _ => throw new InvalidOperationException(statement.GetType().Name),
        };
        int line = statement.Line;
        return a =>
        {
            Budget.Step();
            a.Rendering.Line = line;
            return run(a);
        };
    }

    private static StatementCode Leave(Frame frame, Flow flow, string fault, int line) =>
        frame.IsInLoop ? _ => flow : throw new TemplateException(TemplateErrorKind.PythonSyntax, fault, line);

    private static TemplateException Refused(string message, int line) => new(TemplateErrorKind.Assertion, message, line);
}

/// <summary>A template that is ready to run.</summary>
internal sealed record CompiledTemplate(Action<Rendering> Run, IReadOnlyDictionary<string, BlockBody> Blocks, bool HasGeneration);
