using System.Collections.Immutable;
using System.Globalization;

namespace Dataflow.Model;

/// <summary>
/// Which tensors of a checkpoint are meant, by their names: "*" stands for any characters, "?" for one, "[0-15]" for a whole number from 0
/// to 15, "[24-]" for one from 24 on, "[3]" for 3; "|" lies between patterns of which one must do.
/// </summary>
public sealed class NamePattern : IEquatable<NamePattern>
{
    private const int NearestShown = 3;
    private readonly ImmutableArray<(string Text, ImmutableArray<Token> Tokens)> alternatives;

    private NamePattern(string text, ImmutableArray<(string, ImmutableArray<Token>)> alternatives) =>
        (Text, this.alternatives) = (text, alternatives);

    private enum Sign
    {
        Letter,
        Any,
        AnyOne,
        Number,
    }

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>Reads one.</summary>
    /// <exception cref="UserErrorException">It is empty, or a range in it is none.</exception>
    public static NamePattern Parse(string text) =>
        new(text, [.. text.Split('|').Select(one => one.Trim()).Select(one => (one, TokensOf(one, text)))]);

    /// <summary>Whether a name is meant.</summary>
    public bool Matches(string name) => alternatives.Any(a => Distance(a.Tokens, name) == 0);

    /// <summary>Those of a model's tensors that are meant.</summary>
    /// <param name="model">Whose tensors.</param>
    /// <param name="option">What the pattern was given for, as messages name it.</param>
    /// <exception cref="UserErrorException">A part of the pattern means none of them; the nearest names are named.</exception>
    public IReadOnlyList<NamedParameter> Of(ModelConfig model, string option)
    {
        var all = NamedParameter.All(model).ToList();
        var meant = new HashSet<NamedParameter>(ReferenceEqualityComparer.Instance);
        foreach (var (text, tokens) in alternatives)
        {
            var these = all.Where(p => Distance(tokens, p.Name) == 0).ToList();
            if (these.Count == 0)
            {
                // Of layers that are alike one stands for all.
                var nearest = all.DistinctBy(p => p.Part.CheckpointName).OrderBy(p => Distance(tokens, p.Name)).Take(NearestShown);
                throw new UserErrorException(
                    $"{option}: no tensor of {model.Name} is called '{text}'; the nearest are "
                        + string.Join(", ", nearest.Select(p => p.Name))
                );
            }

            meant.UnionWith(these);
        }

        return [.. all.Where(meant.Contains)];
    }

    /// <inheritdoc/>
    public bool Equals(NamePattern? other) => other is not null && Text == other.Text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as NamePattern);

    /// <inheritdoc/>
    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Text;

    private static ImmutableArray<Token> TokensOf(string one, string whole)
    {
        if (one.Length == 0)
        {
            throw new UserErrorException($"'{whole}' is no pattern of names; give one such as model.layers.[0-3].mlp.* or *norm*");
        }

        var tokens = ImmutableArray.CreateBuilder<Token>(one.Length);
        for (int i = 0; i < one.Length; i++)
        {
            switch (one[i])
            {
                case '*':
                    tokens.Add(new Token(Sign.Any));
                    break;
                case '?':
                    tokens.Add(new Token(Sign.AnyOne));
                    break;
                case '[':
                    int end = one.IndexOf(']', i);
                    tokens.Add(end > i ? Range(one[(i + 1)..end], whole) : throw NoRange(one[i..], whole));
                    i = end;
                    break;
                default:
                    tokens.Add(new Token(Sign.Letter, one[i]));
                    break;
            }
        }

        return tokens.ToImmutable();
    }

    private static Token Range(string text, string whole)
    {
        string[] ends = text.Split('-');
        int last = int.MaxValue;
        bool known = ends.Length <= 2 && int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out _);
        int first = known ? int.Parse(ends[0], CultureInfo.InvariantCulture) : 0;
        if (ends.Length == 1)
        {
            last = first;
        }
        else if (ends[1].Length > 0)
        {
            known &= int.TryParse(ends[1], NumberStyles.None, CultureInfo.InvariantCulture, out last);
        }

        return known && first <= last ? new Token(Sign.Number, First: first, Last: last) : throw NoRange($"[{text}]", whole);
    }

    private static UserErrorException NoRange(string range, string whole) =>
        new($"'{whole}': {range} is no range of numbers; give one such as [0-15], [24-] or [3]");

    /// <summary>
    /// Characters that must be put in, taken out or changed in the name before it is meant (Levenshtein, with wildcards that cost nothing);
    /// 0: it is meant.
    /// </summary>
    private static int Distance(ImmutableArray<Token> tokens, string name)
    {
        int[] now = [.. Enumerable.Range(0, name.Length + 1)];
        foreach (var token in tokens)
        {
            int[] next = new int[name.Length + 1];
            for (int j = 0; j <= name.Length; j++)
            {
                int missing = now[j] + (token.Sign == Sign.Any ? 0 : 1);
                int extra = j == 0 ? int.MaxValue : next[j - 1] + (token.Sign == Sign.Any ? 0 : 1);
                int length = token.Sign == Sign.Number ? NumberBefore(name, j, token) : 1;
                int taken = j < length || length == 0 || token.Sign == Sign.Any ? int.MaxValue
                    : now[j - length] + (token.Sign == Sign.Letter && token.Letter != name[j - 1] ? 1 : 0);
                next[j] = Math.Min(missing, Math.Min(extra, taken));
            }

            now = next;
        }

        return now[name.Length];
    }

    /// <summary>How many digits end at a place of a name, if they are all that are there and a number of the range; otherwise 0.</summary>
    private static int NumberBefore(string name, int end, Token range)
    {
        if (end == 0 || !char.IsAsciiDigit(name[end - 1]) || (end < name.Length && char.IsAsciiDigit(name[end])))
        {
            return 0;
        }

        int first = end - 1;
        while (first > 0 && char.IsAsciiDigit(name[first - 1]))
        {
            first--;
        }

        bool known = int.TryParse(name.AsSpan(first, end - first), NumberStyles.None, CultureInfo.InvariantCulture, out int number);
        return known && number >= range.First && number <= range.Last ? end - first : 0;
    }

    private readonly record struct Token(Sign Sign, char Letter = default, int First = 0, int Last = 0);
}
