namespace Dataflow.Corpora;

/// <summary>Names that a file has for its columns or keys, for messages: of one line and no great length, whatever they are.</summary>
internal static class ShownNames
{
    private const int MostNames = 12;
    private const int MostCharacters = 40;

    /// <summary>As in "the keys a, b and more".</summary>
    /// <param name="what">What they are, in the plural.</param>
    /// <param name="names">All of them.</param>
    public static string List(string what, IReadOnlyCollection<string> names) => names.Count == 0 ? $"no {what}"
        : $"the {what} {string.Join(", ", names.Take(MostNames).Select(Of))}{(names.Count > MostNames ? " and more" : "")}";

    /// <summary>A name.</summary>
    public static string Of(string name)
    {
        string shown = name.Length <= MostCharacters ? name : name[..MostCharacters] + "...";
        return string.Concat(shown.Select(c => char.IsControl(c) ? '?' : c));
    }
}
