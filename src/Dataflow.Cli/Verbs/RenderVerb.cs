using System.CommandLine;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Text.Templates;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow data render: conversations as the text that a chat template makes of them.</summary>
internal static class RenderVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow data render models/qwen3-0.6b < conversations.jsonl",
        "dataflow data render --template chat_template.jinja --input conversations.jsonl --now 2026-01-15T09:30:05",
    ];

    private static readonly Bytes s_most = Bytes.FromGiB(4);

    private static readonly JsonSerializerOptions s_written = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What was asked for.</summary>
    private sealed record Wanted(string? Folder, string? Template, string? Name, string? Input, RenderOptions Options);

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "render",
            "Renders conversations, one JSON object a line: messages (or ShareGPT's conversations), tools, documents, kwargs, "
                + "add_generation_prompt, continue_final_message. Writes a line for each: text and assistant_mask, or error."
        );
        var folder = new Argument<string?>("folder")
        {
            Description = "a model's folder, or hf:owner/name: its chat template and special tokens",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var template = Declare.Option<string?>("--template", "FILE", "a template instead, without special tokens", Values.FilePath);
        var name = Declare.Option<string?>(
            "--name", "NAME", "which of a folder's named templates [default: tool_use where there are tools, else default]", t => t);
        var input = Declare.Option<string?>("--input", "FILE", "where conversations are read from [default: standard input]",
            Values.FilePath);
        var now = Declare.Option<DateTime?>(
            "--now", "TIME", "what strftime_now sees, such as 2026-01-15T09:30:05", t => CorpusValues.Time(t));
        var keepNulls = Declare.Flag("--keep-nulls", "members of turns that are null stay; else they are dropped, as transformers does");
        command.Arguments.Add(folder);
        Option[] options = [template, name, input, now, keepNulls];
        foreach (var option in options)
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed => (int)Execute(new Wanted(
            parsed.GetValue(folder),
            parsed.GetValue(template),
            parsed.GetValue(name),
            parsed.GetValue(input),
            new RenderOptions { Now = parsed.GetValue(now), KeepNulls = parsed.GetValue(keepNulls), FindAssistant = true })));
        return command;
    }

    private static ExitCode Execute(Wanted wanted)
    {
        if (wanted.Folder is null == wanted.Template is null)
        {
            throw new UserErrorException("give a model's folder, or a template's file by --template, and not both");
        }

        var models = wanted.Folder is null ? null : ChatTemplates.InFolder(wanted.Folder);
        var options = wanted.Options with { SpecialTokens = models?.SpecialTokens };
        string? file = wanted.Template is null ? null : ChatTemplates.InFile(wanted.Template);
        var templates = new Dictionary<string, ChatTemplate>();
        var found = new HashSet<string>();
        int refused = 0;
        TemplateException? broken = null;
        foreach (string line in Lines(wanted.Input).Where(l => l.Length > 0))
        {
            var result = new JsonObject();
            try
            {
                var conversation = Conversation.Parse(line);
                string source = file ?? models!.Choose(wanted.Name, conversation.Tools is not null);
                Write(result, Template(source).Render(conversation, options));
                found.Add(conversation.Finding);
            }
            catch (TemplateException e)
            {
                result = new JsonObject { ["error"] = e.Error };
                refused++;
            }
            catch (UserErrorException e)
            {
                result = new JsonObject { ["error"] = e.Message };
                refused++;
            }

            Console.Out.WriteLine(result.ToJsonString(s_written));
        }

        foreach (string finding in found.Order(StringComparer.Ordinal))
        {
            Messages.Tell($"found {finding}");
        }

        if (refused > 0)
        {
            Messages.Tell($"{refused} conversation{(refused == 1 ? "" : "s")} could not be rendered; the lines with error say why");
        }

        return broken is null ? ExitCode.Ok : throw broken;

        ChatTemplate Template(string source)
        {
            if (templates.TryGetValue(source, out var known))
            {
                return known;
            }

            try
            {
                return templates[source] = ChatTemplate.Parse(source);
            }
            catch (TemplateException e)
            {
                broken = e;
                throw;
            }
        }
    }

    private static void Write(JsonObject result, RenderedConversation rendered)
    {
        result["text"] = rendered.Text;
        result["assistant_mask"] = rendered.AssistantSpans is { } spans
            ? new JsonArray([.. spans.Select(s => new JsonArray(s.Start, s.End))])
            : null;
        if (rendered.AssistantFault is { } fault)
        {
            result["assistant_mask_error"] = fault.Detail;
        }
    }

    private static IEnumerable<string> Lines(string? input)
    {
        if (input is not null)
        {
            // Line feeds alone end lines: text in JSON may hold other characters that do elsewhere.
            foreach (string line in InputFile.ReadText(input, s_most).Split('\n'))
            {
                yield return line.TrimEnd('\r');
            }

            yield break;
        }

        using var stream = Console.OpenStandardInput();
        using var reader = new StreamReader(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        while (reader.ReadLine() is { } line)
        {
            yield return line;
        }
    }
}
