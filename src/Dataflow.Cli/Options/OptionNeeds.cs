using System.CommandLine;
using System.CommandLine.Parsing;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>An option that cannot act is refused: whoever gives it expects something of it.</summary>
internal static class OptionNeeds
{
    /// <summary>Refuses an option that was given without any of those that it acts with.</summary>
    /// <exception cref="UserErrorException">It was.</exception>
    public static void Need(this ParseResult parsed, Option option, params Option[] any)
    {
        if (parsed.WasGiven(option) && !any.Any(parsed.WasGiven))
        {
            throw new UserErrorException(
                $"{option.Name} does nothing without {string.Join(" or ", any.Select(o => o.Name))}; give "
                    + $"{(any.Length == 1 ? "that" : "one of them")} too, or leave it out"
            );
        }
    }

    /// <summary>Whether an option is on the command line.</summary>
    public static bool WasGiven(this ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    /// <summary>The text that an option was given; null if it was not.</summary>
    public static string? TextOf(this ParseResult parsed, string option) =>
        parsed.GetResult(option) is OptionResult { Implicit: false, Tokens: [.., var last] } ? last.Value : null;
}
