using System.Numerics;
using Dataflow.Text.Templates.Builtins;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>
/// Constants that Jinja computes while it compiles. That differs from running in one way alone: a slice that fails there is undefined,
/// where
/// running would stop. So only expressions with slices of constants are computed here.
/// </summary>
internal sealed partial class Compiler
{
    private static readonly HashSet<string> NeedContext = ["map", "select", "reject", "selectattr", "rejectattr", "random"];

    private static readonly Frame Nowhere = new(new Symbols(null), new FunctionScope(null)) { IsConditional = true };

    private bool folding;

    /// <summary>The value of a constant expression with a slice; null where it is none, or cannot be computed, or is nothing to
    /// keep.</summary>
    private Evaluation? Folded(Expression expression, bool printed)
    {
        if (folding || !IsWorthFolding(expression)) return null;
        folding = true;
        try
        {
            Activation nothing = new(
                new Rendering(new Dictionary<string, object?>(), default) { Blocks = new Dictionary<string, BlockBody>() }, null, 0);
            object? value = Compile(expression, Nowhere)(nothing);
            return printed || IsSimple(value) ? _ => value : null;
        }
        catch (TemplateException e) when (e.Kind is not (TemplateErrorKind.Limit or TemplateErrorKind.Recursion))
        {
            return null;
        }
        catch (NotConstantException)
        {
            return null;
        }
        finally
        {
            folding = false;
        }
    }

    private static bool IsWorthFolding(Expression expression)
    {
        Budget.CheckStack();
        return expression switch
        {
            Expression.Slice => true,
            Expression.Filtered f when !Filters.All.ContainsKey(f.Filter) => true,
            Expression.Tested t when !Tests.All.ContainsKey(t.Test) => true,
            Expression.Name or Expression.Constant => false,
            _ => SymbolVisitor.Children(expression).Any(IsWorthFolding),
        };
    }

    /// <summary>What has no value before running. A part that is never reached may be so.</summary>
    private static bool IsOpen(Expression expression) => expression switch
    {
        Expression.Name or Expression.Call => true,
        Expression.Filtered f => f.Of is null || NeedContext.Contains(f.Filter) || !Filters.All.ContainsKey(f.Filter),
        Expression.Tested t => !Tests.All.ContainsKey(t.Test),
        _ => false,
    };

    private static object? NotConstant(Activation activation) => throw new NotConstantException();

    private sealed class NotConstantException : Exception;

    private static bool IsSimple(object? value) => value switch
    {
        null or bool or long or BigInteger or double or string or Markup or RangeValue => true,
        ListValue list => list.Items.All(IsSimple),
        TupleValue tuple => tuple.Items.All(IsSimple),
        DictValue dict => dict.Pairs.All(p => IsSimple(p.Key) && IsSimple(p.Value)),
        _ => false,
    };
}
