using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>Reading and assigning variables by their places.</summary>
internal static class Variables
{
    public static Evaluation Read(FunctionScope function, string variable)
    {
        (int hops, int place) = function.Find(variable);
        return hops switch
        {
            0 => a => a.Variables[place],
            1 => a => a.Outer!.Variables[place],
            _ => a => Outward(a, hops).Variables[place],
        };
    }

    public static Action<Activation, object?> Assign(FunctionScope function, string variable)
    {
        int place = function.Declare(variable);
        return (a, value) => a.Variables[place] = value;
    }

    private static Activation Outward(Activation activation, int hops)
    {
        while (hops-- > 0) activation = activation.Outer!;
        return activation;
    }
}
