using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>Kinds of documents by name.</summary>
public static class DocumentKinds
{
    private static readonly (DocumentKind Kind, string Name)[] s_names =
    [
        (DocumentKind.Text, "text"), (DocumentKind.Completion, "completion"), (DocumentKind.Conversation, "conversation"),
        (DocumentKind.Preference, "preference"),
    ];

    /// <summary>A kind's name.</summary>
    public static string NameOf(DocumentKind kind) => s_names.Single(n => n.Kind == kind).Name;

    /// <summary>The kind of a name.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static DocumentKind Named(string name) => s_names.FirstOrDefault(n => n.Name == name) is { Name: { } } found ? found.Kind
        : throw new UserErrorException($"'{name}' is no kind of documents; there are text, completion, conversation and preference");
}
