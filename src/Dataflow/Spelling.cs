namespace Dataflow;

/// <summary>What somebody who mistyped a name may have meant.</summary>
public static class Spelling
{
    // "--device-mem", "calib": the beginning of a name is meant to be that name.
    private const int LeastBeginning = 3;

    /// <summary>"; did you mean X?", or nothing where no name is near.</summary>
    public static string DidYouMean(string given, IEnumerable<string> names) =>
        Nearest(given, names) is { } name ? $"; did you mean {name}?" : "";

    /// <summary>
    /// The name that takes the fewest typing errors to become the given one, one in three letters at most; null if none is near.
    /// </summary>
    public static string? Nearest(string given, IEnumerable<string> names)
    {
        string typed = Plain(given);
        var near = names
            .Distinct()
            .Select(n =>
                (
                    Name: n,
                    Errors: MayBeNear(typed, Plain(n)) ? Errors(typed, Plain(n)) : int.MaxValue,
                    Begins: typed.Length >= LeastBeginning && Plain(n).StartsWith(typed, StringComparison.Ordinal)
                )
            )
            .Where(n => n.Begins || n.Errors <= MostErrors(typed, Plain(n.Name)))
            .OrderBy(n => n.Begins ? 0 : n.Errors).ThenBy(n => n.Name.Length).ThenBy(n => n.Name, StringComparer.Ordinal);
        return typed.Length == 0 ? null : near.Select(n => n.Name).FirstOrDefault();
    }

    private static int MostErrors(string typed, string name) => Math.Max(1, Math.Min(typed.Length, name.Length) / 3);

    // So many letters are too many or too few at least: what is given may be a file of a megabyte.
    private static bool MayBeNear(string typed, string name) => Math.Abs(typed.Length - name.Length) <= MostErrors(typed, name);

    private static string Plain(string name) => name.TrimStart('-').Replace('_', '-').ToLowerInvariant();

    /// <summary>Letters left out, added, changed or swapped with their neighbour.</summary>
    private static int Errors(string a, string b)
    {
        int[,] errors = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    errors[i, j] = i + j;
                    continue;
                }

                int changed = errors[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                errors[i, j] = Math.Min(changed, Math.Min(errors[i - 1, j], errors[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    errors[i, j] = Math.Min(errors[i, j], errors[i - 2, j - 2] + 1);
                }
            }
        }

        return errors[a.Length, b.Length];
    }
}
