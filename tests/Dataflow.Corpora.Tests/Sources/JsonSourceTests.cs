using System.Text.Json;
using Dataflow.Model;
using Dataflow.Text.Templates;

namespace Dataflow.Corpora.Tests;

/// <summary>Records of JSON as documents.</summary>
public sealed class JsonSourceTests : IDisposable
{
    private const string Turns = """[{"role": "user", "content": "Hé\u00e9"}, {"role": "assistant", "content": "b", "x": null}]""";

    private readonly SourceFolder _folder = new();

    [Fact]
    public void Lines_are_texts()
    {
        _folder.Write("a.jsonl", "\uFEFF{\"text\": \"a\\u00e9\\n\"}\r\n\n  \n{\"id\": 5, \"text\": \"\"}\n{\"text\":\"\\ud834\\udd1e\"}");
        _folder.Write("b.ndjson", "{\"text\": \"b\", \"meta\": {\"text\": 5}}\n");
        List<Passage> read = SourceFolder.ReadFromEverywhere(new SourceOptions(), _folder.Root + "/*");
        Assert.Equal(["aé\n", "", "𝄞", "b"], read.Select(p => p.Text));
        Assert.Equal([1, 4, 5, 1], read.Select(p => p.Place.Number));
        Assert.Equal(new SourcePosition(1, 0), new SourcePosition(read[3].Next.File, 0));
    }

    [Theory]
    [InlineData("""[{"text": "a]}"}, {"text": "\\\"b"} ,""" + "\n" + """{"text": "c", "x": [1, {"y": []}]}]""" + "\n")]
    [InlineData("""{"text": "a]}"}""" + "\n" + """{"text": "\\\"b"}""" + "\n" + """{"text": "c"}""")]
    public void A_json_file_is_a_list_or_lines(string text)
    {
        List<Passage> read = SourceFolder.ReadFromEverywhere(new SourceOptions(), _folder.Write("a.json", "\uFEFF \n" + text));
        Assert.Equal(["a]}", "\\\"b", "c"], read.Select(p => p.Text));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData(" ")]
    [InlineData("")]
    public void A_json_file_may_be_empty(string text) => Assert.Empty(_folder.Read("a.json", text));

    [Fact]
    public void Records_longer_than_what_is_read_at_once_are_whole()
    {
        string[] texts = [.. Enumerable.Range(0, 12).Select(i => new string((char)('a' + i), (i * 40_000) + 1))];
        string[] lines = [.. texts.Select(t => JsonSerializer.Serialize(new { text = t }))];
        Assert.Equal(texts,
            SourceFolder.ReadFromEverywhere(new SourceOptions(), _folder.Write("a.jsonl", string.Join('\n', lines))).Select(p => p.Text));
        Assert.Equal(texts, SourceFolder.ReadFromEverywhere(
            new SourceOptions(), _folder.Write("a.json", $"[{string.Join(',', lines)}]")).Select(p => p.Text));
    }

    [Fact]
    public void A_prompt_and_its_completion_are_one_text()
    {
        Passage passage = Assert.Single(_folder.Read("a.jsonl", """{"completion": " four", "prompt": "two and two is"}"""));
        Assert.Equal((DocumentKind.Completion, "two and two is four", 14), (passage.Kind, passage.Text, passage.PromptLength));
    }

    [Fact]
    public void A_conversation_is_its_object_without_what_means_nothing()
    {
        string beside = "\"tools\"" + """: "[{\"type\": \"function\"}]", "kwargs": {"a": 1}, "documents": null, "prompt": "p"}""";
        string line = $$"""{"id": 1, "messages": {{Turns}}, """ + beside;
        Passage passage = Assert.Single(_folder.Read("a.jsonl", line));
        Assert.Equal(DocumentKind.Conversation, passage.Kind);
        Assert.Equal("{\"messages\":" + Turns + ""","tools":[{"type": "function"}],"kwargs":{"a": 1}}""", passage.Text);
        Assert.Single(Conversation.Parse(passage.Text).Tools!.Value.EnumerateArray());
    }

    [Fact]
    public void A_conversation_may_be_json_in_text()
    {
        string line = JsonSerializer.Serialize(new { messages = Turns, tools = "" });
        Assert.Equal("{\"messages\":" + Turns + "}", Assert.Single(_folder.Read("a.jsonl", line)).Text);
    }

    [Theory]
    [InlineData("[]", "[]", 0, "[]")]
    [InlineData("""[{"role": "user"}]""", """[ {"role": "assistant"}, {"role": "x"}]""", 1,
        """[{"role": "user"}, {"role": "assistant"}, {"role": "x"}]""")]
    [InlineData("[]", """[{"role": "assistant"}]""", 0, """[{"role": "assistant"}]""")]
    [InlineData("""[{"role": "a"}, {"role": "b"}]""", "[]", 2, """[{"role": "a"}, {"role": "b"}]""")]
    public void Prompts_and_completions_of_messages_become_conversations(string prompt, string completion, int from, string expected)
    {
        string line = $$"""{"prompt": {{prompt}}, "completion": {{completion}}, "tools": [1]}""";
        Passage passage = Assert.Single(_folder.Read("a.jsonl", line));
        Assert.Equal(DocumentKind.Conversation, passage.Kind);
        using JsonDocument document = JsonDocument.Parse(passage.Text);
        Assert.Equal(from, document.RootElement.GetProperty("completion_from").GetInt32());
        Assert.Equal(expected, document.RootElement.GetProperty("messages").GetRawText());
        Assert.Equal("[1]", document.RootElement.GetProperty("tools").GetRawText());
    }

    [Theory]
    [InlineData("""{"text": "a"}""", "texts (text)")]
    [InlineData("""{"prompt": "a", "completion": "b"}""", "prompts with completions (prompt, completion)")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "prompt": "p"}""", "conversations as messages (role, content)")]
    [InlineData(
        """{"conversations": [{"from": "human", "value": "a"}]}""", "conversations in ShareGPT's form (from, value), read as messages")]
    [InlineData("""{"prompt": [{"role": "user", "content": "a"}], "completion": []}""", "prompts with completions, both lists of messages")]
    public void What_was_found_is_said(string line, string expected)
    {
        string path = _folder.Write("a.jsonl", line);
        SourceSet set = SourceSet.Of([path]);
        Assert.Null(set.Finding);
        Assert.Single(set.Read());
        Assert.Equal($"{path}: {expected}", set.Finding);
    }

    [Theory]
    [InlineData("""{"body": "a", "text": "b"}""", "body", DocumentKind.Text, "a")]
    [InlineData("""{"prompt": "a", "completion": "b"}""", "prompt", DocumentKind.Text, "a")]
    [InlineData("""{"prompt": "a", "completion": "b", "text": "c"}""", "completion", DocumentKind.Completion, "ab")]
    [InlineData("""{"completion": "b"}""", "completion", DocumentKind.Text, "b")]
    [InlineData("""{"chat": [], "text": "b"}""", "chat", DocumentKind.Conversation, """{"messages":[]}""")]
    [InlineData("""{"messages": [], "text": "b"}""", "messages", DocumentKind.Conversation, """{"messages":[]}""")]
    public void A_key_can_be_named(string line, string field, DocumentKind kind, string text)
    {
        Passage passage = Assert.Single(_folder.Read("a.jsonl", line, new SourceOptions { Field = field }));
        Assert.Equal((kind, text), (passage.Kind, passage.Text));
    }

    [Theory]
    [InlineData("""{"text": "a", "messages": []}""", "line 1 has text and messages; name the one that is meant with --field")]
    [InlineData("""{"text": null}""", "line 1: text is null")]
    [InlineData("""{"text": 5}""", "line 1: text is a number; it must be text")]
    [InlineData("""{"prompt": "a"}""", "line 1 has a prompt without a completion")]
    [InlineData("""{"prompt": "a", "completion": []}""", "line 1: prompt is text and completion is a list")]
    [InlineData("""{"id": 1, "body": "x"}""", "line 1 has the keys id, body; needed are text")]
    [InlineData("""{"a\nb": 1}""", "line 1 has the keys a?b; needed")]
    [InlineData("{}", "line 1 has no keys; needed are text")]
    [InlineData("""[{"text": "a"}]""", "line 1 is a list; it must be an object")]
    [InlineData("""{"text": "a"} {"text": "b"}""", "line 1 is no JSON: '{' is invalid after a single JSON value")]
    [InlineData("""{"text": "a" """, "line 1 is no JSON: it ends within a list or an object, which must be on one line")]
    [InlineData("""{"text": "\ud834"}""", "line 1 has half of a surrogate pair")]
    [InlineData("""{"text": "a", "x": ["\udd1e\ud834"]}""", "line 1 has half of a surrogate pair")]
    [InlineData("""{"text": NaN}""", "line 1 is no JSON")]
    [InlineData("""{"messages": {"role": "user"}}""", "line 1: messages is an object; it must be a list of messages")]
    [InlineData("""{"messages": "[{]"}""", "messages (text) of ")]
    [InlineData("""{"messages": [5]}""", "line 1: turn 1 of messages is a number")]
    public void What_is_no_document_is_refused_with_its_line(string line, string expected) =>
        Assert.Contains(expected, _folder.Refusal("a.jsonl", line));

    [Theory]
    [InlineData("""[{"text": "a"}""", "ends before its list does, at record 2")]
    [InlineData("""[{"text": "a"},]""", "record 2 begins with ']'")]
    [InlineData("""[{"text": "a"} {"text": "b"}]""", "record 2 is not parted from the one before by a comma")]
    [InlineData("""[{"text": "a"}, "b"]""", "record 2 begins with '\"'; each must be an object")]
    [InlineData("""[{"text": "a}]""", "record 1 does not end before the file does")]
    [InlineData("""[{"text": "a"}] x""", "goes on after its list of 1 records")]
    [InlineData("\"text\"", "begins with '\"'; a .json file is a list of objects")]
    [InlineData("{\n\"text\": \"a\"\n}\n", "line 1 is no JSON")]
    public void What_is_no_list_is_refused(string text, string expected) => Assert.Contains(expected, _folder.Refusal("a.json", text));

    [Fact]
    public void Of_a_key_that_is_there_twice_the_last_counts() =>
        Assert.Equal("b", Assert.Single(_folder.Read("a.jsonl", """{"text": "a", "te\u0078t": "b"}""")).Text);

    [Fact]
    public void Null_beside_what_is_given_is_as_nothing() =>
        Assert.Equal("a", Assert.Single(_folder.Read("a.jsonl", """{"text": "a", "messages": null}""")).Text);

    [Fact]
    public void Another_kind_later_is_refused_with_both_places()
    {
        _folder.Write("a.jsonl", "{\"text\": \"a\"}\n");
        _folder.Write("b.jsonl", "{\"text\": \"a\"}\n{\"prompt\": \"a\", \"completion\": \"b\"}\n");
        SourceSet set = SourceSet.Of([_folder.Root + "/*.jsonl"]);
        string message = Assert.Throws<UserErrorException>(() => set.Read().Count()).Message;
        Assert.Contains("b.jsonl, line 2 is a prompt with its completion and ", message);
        Assert.Contains("a.jsonl, line 1 is a text", message);
        SourceSet resumed = SourceSet.Of([_folder.Root + "/*.jsonl"]);
        Assert.Equal(message, Assert.Throws<UserErrorException>(() => resumed.Read(new SourcePosition(1, 14)).Count()).Message);
    }

    [Fact]
    public void A_field_that_is_missing_is_refused() => Assert.Contains(
        "line 1 has no body, which --field names; it has the keys text", _folder.Refusal(
            "a.jsonl", "{\"text\": \"a\"}", new SourceOptions { Field = "body" }));

    public void Dispose() => _folder.Dispose();
}
