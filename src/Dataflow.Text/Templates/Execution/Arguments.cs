namespace Dataflow.Text.Templates.Execution;

/// <summary>What a call is given.</summary>
internal sealed record Arguments(object?[] Positional, IReadOnlyList<KeyValuePair<string, object?>> Keywords)
{
    public static readonly Arguments None = new([], []);

    public static Arguments Of(params object?[] positional) => new(positional, []);
}
