namespace Dataflow.Text.Templates.Values;

/// <summary>Stands in a variable that has no value, and for an argument that was not given. Null is Python's None.</summary>
internal sealed class Missing
{
    public static readonly Missing Value = new();

    private Missing()
    {
    }
}
