using System.Text.Json;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What is to be continued: a text, a conversation, or token ids.</summary>
public abstract record TextPrompt
{
    private const string Expected = "{\"prompt\": \"...\"}, {\"messages\": [...]} or {\"ids\": [...]} was expected";
    private static readonly Bytes s_most = new(1L << 30);

    private TextPrompt()
    {
    }

    /// <summary>A text.</summary>
    public sealed record Text(string Content) : TextPrompt;

    /// <summary>A conversation that the assistant goes on with.</summary>
    public sealed record Chat(IReadOnlyList<ChatMessage> Messages) : TextPrompt;

    /// <summary>Token ids.</summary>
    public sealed record Tokens(IReadOnlyList<int> Ids) : TextPrompt;

    /// <summary>Those of a file, one JSON object a line.</summary>
    /// <exception cref="UserErrorException">A line is none, or there is none.</exception>
    public static IReadOnlyList<TextPrompt> Read(string path)
    {
        var all = new List<TextPrompt>();
        int number = 0;
        foreach (string line in InputFile.ReadText(path, s_most).Split('\n'))
        {
            number++;
            if (line.Trim().Length > 0)
            {
                all.Add(Parse(line, $"{path}, line {number}"));
            }
        }

        return all.Count > 0 ? all : throw new UserErrorException($"{path} has no prompt; {Expected} in each line");
    }

    /// <summary>Its token ids.</summary>
    /// <param name="texts">Of the model; null where it has no tokenizer.</param>
    /// <exception cref="UserErrorException">It is a text and there is no tokenizer, or a conversation and there is no chat
    /// template.</exception>
    public IReadOnlyList<int> Encode(ModelTexts? texts) => this switch
    {
        Tokens tokens => tokens.Ids,
        _ when texts is null => throw new UserErrorException(
            "the model brings no tokenizer, so it knows no texts; give token ids: --prompts with {\"ids\": [...]} in each line"),
        Chat chat => texts.Encode(chat.Messages),
        _ => texts.Encode(((Text)this).Content),
    };

    private static TextPrompt Parse(string line, string place)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            var given = new[] { "prompt", "messages", "ids" }.Where(n => root.TryGetProperty(n, out _)).ToList();
            if (root.EnumerateObject().Select(m => m.Name).FirstOrDefault(n => !given.Contains(n)) is { } unknown)
            {
                throw new UserErrorException($"{place}: a prompt has no key {unknown}; {Expected}");
            }

            return given switch
            {
                ["prompt"] => new Text(Of(root.GetProperty("prompt"))),
                ["messages"] => new Chat([
                    .. root.GetProperty("messages").EnumerateArray()
                        .Select(m => new ChatMessage(Of(m.GetProperty("role")), Of(m.GetProperty("content")))),
                ]),
                ["ids"] => new Tokens([.. root.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())]),
                _ => throw new FormatException(),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException($"{place} is no prompt; {Expected}");
        }
    }

    private static string Of(JsonElement text) => text.GetString() ?? throw new FormatException("null");
}
