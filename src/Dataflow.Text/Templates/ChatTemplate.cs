using Dataflow.Text.Templates.Compilation;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;

namespace Dataflow.Text.Templates;

/// <summary>
/// A chat template in Jinja, ready to render conversations: the language as Jinja 3.1 reads it with trim_blocks and lstrip_blocks, in an
/// immutable sandbox, with break, continue, generation blocks, and what chat templates are given (tojson, raise_exception, strftime_now).
/// Reading and rendering are bounded in steps, memory and depth. It may be used by several threads at a time.
/// </summary>
public sealed class ChatTemplate
{
    private readonly CompiledTemplate compiled;

    private ChatTemplate(string source, CompiledTemplate compiled)
    {
        Source = source;
        this.compiled = compiled;
    }

    /// <summary>The template as it was read.</summary>
    public string Source { get; }

    /// <summary>Whether the template itself marks what the assistant wrote.</summary>
    public bool HasGeneration => compiled.HasGeneration;

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <exception cref="TemplateException">It breaks the rules of the language, or is nested too deeply.</exception>
    public static ChatTemplate Parse(string source) =>
        Budget.With(source.Length, () => new ChatTemplate(source, Compiler.Compile(Parser.Parse(source))));

    /// <summary>Renders a conversation.</summary>
    /// <param name="conversation">The conversation, and what the template is given with it.</param>
    /// <param name="options">How to render.</param>
    /// <exception cref="TemplateException">The template refuses the conversation, or fails on it, or takes too much.</exception>
    public RenderedConversation Render(Conversation conversation, RenderOptions options = default) =>
        Budget.With(Source.Length + conversation.Size, () => new ConversationRenderer(this, conversation, options))
            .Render(options.FindAssistant);

    /// <summary>Renders with these variables alone.</summary>
    internal RawRendering Run(IReadOnlyDictionary<string, object?> variables, long inputSize, DateTime now) =>
        Budget.With(Source.Length + inputSize, () =>
        {
            Rendering rendering = new(variables, now) { Blocks = compiled.Blocks };
            try
            {
                compiled.Run(rendering);
            }
            catch (TemplateException e)
            {
                throw e.At(rendering.Line);
            }
            return new RawRendering(rendering.Text, rendering.Generations, rendering.HasUnplacedGeneration);
        });
}

/// <summary>What a template wrote, and where its generation blocks are, in chars.</summary>
internal sealed record RawRendering(string Text, IReadOnlyList<(int Start, int End)> Generations, bool HasUnplacedGeneration);
