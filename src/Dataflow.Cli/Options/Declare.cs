using System.CommandLine;
using System.CommandLine.Parsing;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>Declares options and arguments whose text becomes a value, or a sentence that says what would do.</summary>
internal static class Declare
{
    /// <summary>An option that takes one value.</summary>
    public static Option<T> Option<T>(string name, string placeholder, string description, Func<string, T> parse) => new(name)
    {
        Description = description,
        HelpName = placeholder,
        CustomParser = result => Parse(result, name, parse),
    };

    /// <summary>An option that may be given again, a value each time, or with several values at once.</summary>
    public static Option<string[]?> Several(
        string name, string placeholder, string description, Func<string, string> parse, bool together = false) => new(name)
    {
        AllowMultipleArgumentsPerToken = together,
        Description = description,
        HelpName = placeholder,
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result =>
        {
            try
            {
                return [.. result.Tokens.Select(t => parse(t.Value))];
            }
            catch (UserErrorException e)
            {
                result.AddError($"{name}: {e.Message}");
                return null;
            }
        },
    };

    /// <summary>An option without a value.</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    /// <summary>Reads an option that may be given with or without a value, which is null then.</summary>
    public static Func<ArgumentResult, T?> Parser<T>(string name, Func<string?, T> parse) => result =>
    {
        try
        {
            return parse(result.Tokens is [.., var last] ? last.Value : null);
        }
        catch (UserErrorException e)
        {
            result.AddError($"{name}: {e.Message}");
            return default;
        }
    };

    /// <summary>A positional argument.</summary>
    public static Argument<T> Argument<T>(string name, string description, Func<string, T> parse) => new(name)
    {
        Description = description,
        CustomParser = result => Parse(result, $"<{name}>", parse),
    };

    private static T? Parse<T>(ArgumentResult result, string name, Func<string, T> parse) =>
        Parser(name, text => parse(text!))(result);
}
