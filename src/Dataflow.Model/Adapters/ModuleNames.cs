using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Dataflow.Model;

/// <summary>Which modules of a model are meant, by PEFT's rules: a list of names, or a regular expression for whole names.</summary>
public sealed class ModuleNames : IEquatable<ModuleNames>
{
    /// <summary>Every linear layer but the output head.</summary>
    public const string AllLinearName = "all-linear";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);
    private readonly Regex? expression;

    private ModuleNames(ImmutableArray<string> names, string? pattern) =>
        (Names, Pattern, expression) = (names, pattern, pattern is null || IsShorthand(pattern) ? null : Expression(pattern));

    /// <summary>Every linear layer but the output head.</summary>
    public static ModuleNames AllLinear { get; } = new([], AllLinearName);

    /// <summary>Whole names, or their endings after a dot; empty where there is a pattern.</summary>
    public ImmutableArray<string> Names { get; }

    /// <summary>A regular expression for whole names, or "all-linear".</summary>
    public string? Pattern { get; }

    /// <summary>It stands for every linear layer but the output head.</summary>
    public bool MeansAllLinear => Pattern is { } pattern && IsShorthand(pattern);

    /// <summary>Those of a list.</summary>
    public static ModuleNames List(IEnumerable<string> names) => new([.. names], null);

    /// <summary>Those that a regular expression matches as a whole, or "all-linear".</summary>
    /// <exception cref="UserErrorException">It is no regular expression.</exception>
    public static ModuleNames Matching(string pattern) => new([], pattern);

    /// <summary>As an option has it: names with commas between them, "all-linear", or a regular expression.</summary>
    /// <exception cref="UserErrorException">It is no regular expression.</exception>
    public static ModuleNames Parse(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or ',' or ' ' or '-') && !IsShorthand(text)
            ? List(text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            : Matching(text);

    /// <summary>Whether a module is meant; "all-linear" is not asked for here.</summary>
    public bool Mean(string module) =>
        expression is not null ? Match(expression, module).Success : Names.Any(name => module == name || EndsWith(module, name));

    /// <inheritdoc/>
    public bool Equals(ModuleNames? other) => other is not null && Pattern == other.Pattern && Names.SequenceEqual(other.Names);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ModuleNames);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Pattern, Names.Length);

    /// <summary>As <see cref="Parse"/> takes it.</summary>
    public override string ToString() => Pattern ?? string.Join(',', Names);

    /// <summary>A regular expression of PEFT's configs, for whole names.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    internal static Regex Expression(string pattern)
    {
        try
        {
            return new Regex($@"\A(?:{pattern})\z", RegexOptions.CultureInvariant, s_patience);
        }
        catch (ArgumentException e)
        {
            throw new UserErrorException($"'{pattern}' is no regular expression for names of modules ({e.Message})");
        }
    }

    /// <summary>What it matches of a name.</summary>
    /// <exception cref="UserErrorException">It takes too long.</exception>
    internal static Match Match(Regex expression, string module)
    {
        try
        {
            return expression.Match(module);
        }
        catch (RegexMatchTimeoutException)
        {
            throw new UserErrorException($"the regular expression '{expression}' takes too long on {module}; give a simpler one");
        }
    }

    private static bool IsShorthand(string pattern) => pattern.Equals(AllLinearName, StringComparison.OrdinalIgnoreCase);

    private static bool EndsWith(string module, string name) =>
        module.Length > name.Length && module[^(name.Length + 1)] == '.' && module.EndsWith(name, StringComparison.Ordinal);
}
