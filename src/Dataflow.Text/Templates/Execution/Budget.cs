using System.Runtime.CompilerServices;

namespace Dataflow.Text.Templates.Execution;

/// <summary>
/// What a rendering may still spend. A step costs one; what makes text, lists or large numbers costs by their size, before it is made:
/// so memory is bounded with time, and a template that never ends is ended. The budget is that of the thread, since equality, hashing
/// and printing of values spend it too, far from where the rendering is known.
/// </summary>
internal sealed class Budget
{
    /// <summary>Steps of a rendering beside those that the size of the conversation adds.</summary>
    private const long BaseSteps = 8_000_000;

    /// <summary>Characters that cost one step.</summary>
    private const int CharactersPerStep = 8;

    private const long BaseText = 1L << 24;

    [ThreadStatic]
    private static Budget? current;

    private readonly long longest;
    private long left;

    private Budget(long inputSize)
    {
        left = BaseSteps + 64 * inputSize;
        longest = BaseText + 16 * inputSize;
    }

    /// <summary>Runs with a budget of its own.</summary>
    /// <param name="inputSize">Characters of the template and of what it renders.</param>
    /// <param name="action">What to run.</param>
    public static T With<T>(long inputSize, Func<T> action)
    {
        Budget? before = current;
        current = new Budget(inputSize);
        try
        {
            return action();
        }
        finally
        {
            current = before;
        }
    }

    public static void Step() => Spend(1);

    public static void Spend(long steps)
    {
        if (current is not { } budget) return;
        if (steps > budget.left || steps < 0)
            throw Errors.Limit("the rendering takes more steps than a template may: it may never end");
        budget.left -= steps;
    }

    /// <summary>Text of so many characters is about to be made.</summary>
    public static void Text(long characters)
    {
        if (current is not { } budget) return;
        if (characters > budget.longest)
            throw Errors.Limit($"a text would be {characters} characters long, and {budget.longest} is the most here");
        Spend(1 + characters / CharactersPerStep);
    }

    /// <summary>Text is about to be added to what is written.</summary>
    public static void Output(int written, int added)
    {
        if (current is { } budget && (long)written + added > budget.longest)
            throw Errors.Limit($"more than {budget.longest} characters are written");
        Spend(1 + added / CharactersPerStep);
    }

    /// <summary>Before a call that may call itself again.</summary>
    public static void CheckStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw Errors.Recursion();
    }
}
