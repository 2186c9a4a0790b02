using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>What the first document of a source set was, which all others have to be.</summary>
/// <param name="patterns">The source set, for messages.</param>
internal sealed class Findings(string patterns)
{
    private PassagePlace _first;

    /// <summary>The kind of the first document; null before it.</summary>
    public DocumentKind? Kind { get; private set; }

    /// <summary>What was found; null before the first document.</summary>
    public string? Sentence { get; private set; }

    /// <summary>Notes the first document, and refuses another that is of another kind.</summary>
    /// <param name="kind">What it is.</param>
    /// <param name="place">Where it stands.</param>
    /// <param name="form">Says in which form it came; called for the first one.</param>
    public void Check(DocumentKind kind, PassagePlace place, Func<string> form)
    {
        if (Kind is null)
        {
            Sentence = $"{patterns}: {form()}";
            (Kind, _first) = (kind, place);
        }
        else if (Kind != kind)
        {
            throw new UserErrorException($"{place} is {Name(kind)} and {_first} is {Name(Kind.Value)}; train them as sources of their own");
        }
    }

    private static string Name(DocumentKind kind) => kind switch
    {
        DocumentKind.Text => "a text",
        DocumentKind.Completion => "a prompt with its completion",
        DocumentKind.Preference => "a preference",
        _ => "a conversation",
    };
}
