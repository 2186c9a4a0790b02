using System.Text.Json;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates;

/// <summary>One conversation's renderings: the whole, and those that find the assistant in it.</summary>
internal sealed class ConversationRenderer
{
    private readonly ChatTemplate template;
    private readonly Conversation conversation;
    private readonly DateTime now;
    private readonly Dictionary<string, object?> variables = [];

    public ConversationRenderer(ChatTemplate template, Conversation conversation, RenderOptions options)
    {
        this.template = template;
        this.conversation = conversation;
        now = options.Now ?? DateTime.Now;
        if (options.SpecialTokens is { } tokens)
            foreach ((string name, string token) in tokens) variables[name] = token;
        if (conversation.Variables is { } kwargs)
            foreach (JsonProperty variable in kwargs.EnumerateObject()) variables[variable.Name] = JsonValues.Of(variable.Value);
        variables["tools"] = Objects(conversation.Tools, () =>
            Errors.Value("Tools should either be a JSON schema, or a callable function"));
        variables["documents"] = Objects(
            conversation.Documents, () => Errors.Type("Documents should be a list of dicts with 'title' and 'text' keys!"));
        Messages = Turns.Of(conversation, options.KeepNulls);
    }

    /// <summary>The turns.</summary>
    public List<DictValue> Messages { get; }

    /// <summary>Renders turns with everything else as the conversation has it.</summary>
    public RawRendering Render(IEnumerable<DictValue> turns, bool addGenerationPrompt)
    {
        Dictionary<string, object?> all = new(variables)
        {
            ["messages"] = new ListValue(turns),
            ["add_generation_prompt"] = addGenerationPrompt,
        };
        return template.Run(all, conversation.Size, now);
    }

    public RenderedConversation Render(bool findAssistant)
    {
        List<DictValue> turns = [.. Messages];
        ContinuedTurn? continued = conversation.ContinueFinalMessage ? ContinuedTurn.Mark(turns, template.Source) : null;
        RawRendering whole = Render(turns, conversation.AddGenerationPrompt);
        string text = continued?.Cut(whole.Text) ?? whole.Text;
        if (!findAssistant) return new RenderedConversation(text, null);
        try
        {
            IEnumerable<(int Start, int End)> spans = template.HasGeneration && !whole.HasUnplacedGeneration
                ? whole.Generations
                : new AssistantSearch(this, turns, whole.Text, conversation.AddGenerationPrompt).Find();
            return new RenderedConversation(text, InCodePoints(text, spans));
        }
        catch (TemplateException e)
        {
            return new RenderedConversation(text, null) { AssistantFault = e };
        }
    }

    private static ListValue? Objects(JsonElement? list, Func<TemplateException> fault)
    {
        if (list is not { } elements) return null;
        List<object?> items = [];
        foreach (JsonElement element in elements.EnumerateArray())
            items.Add(element.ValueKind == JsonValueKind.Object ? JsonValues.Of(element) : throw fault());
        return new ListValue(items);
    }

    private static List<TextSpan> InCodePoints(string text, IEnumerable<(int Start, int End)> spans)
    {
        List<TextSpan> result = [];
        int at = 0, counted = 0;
        foreach ((int start, int end) in spans)
        {
            if (start >= text.Length && end > text.Length) break;
            result.Add(new TextSpan(Count(start), Count(Math.Min(end, text.Length))));
        }
        return result;

        int Count(int to)
        {
            counted += to >= at ? CodePoints.Count(text.AsSpan(at, to - at)) : -CodePoints.Count(text.AsSpan(to, at - to));
            at = to;
            return counted;
        }
    }
}
