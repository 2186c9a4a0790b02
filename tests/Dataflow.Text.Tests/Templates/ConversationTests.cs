using Dataflow.Model;
using Dataflow.Text.Templates;

namespace Dataflow.Text.Tests.Templates;

/// <summary>Conversations and templates as they stand in files.</summary>
public class ConversationTests
{
    private const string Plain = "{% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}";

    private static string Render(string line, string template = Plain) =>
        ChatTemplate.Parse(template).Render(Conversation.Parse(line)).Text;

    [Theory]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}]}""", "user=a;", "messages")]
    [InlineData("""{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}""", "user=a;assistant=b;",
        "ShareGPT")]
    [InlineData("""{"conversations": [{"role": "system", "content": "a"}]}""", "system=a;", "messages")]
    [InlineData("""{"messages": [{"from": "tool", "value": "a"}]}""", "tool=a;", "ShareGPT")]
    public void The_form_is_told_by_the_keys_and_said(string line, string text, string finding)
    {
        Assert.Equal(text, Render(line));
        Assert.Contains(finding, Conversation.Parse(line).Finding, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[1]", "not an object")]
    [InlineData("{", "no JSON object")]
    [InlineData("{}", "neither messages nor conversations")]
    [InlineData("""{"messages": [], "conversations": []}""", "both given")]
    [InlineData("""{"messages": "a"}""", "messages is text")]
    [InlineData("""{"messages": [1]}""", "turn 1 of messages is a number")]
    [InlineData("""{"messages": [{"content": "a"}]}""", "neither role nor from")]
    [InlineData("""{"messages": [{"role": "a"}, {"from": "b"}]}""", "mixes turns")]
    [InlineData("""{"conversations": [{"from": "critic", "value": "a"}]}""", "from 'critic'")]
    [InlineData("""{"conversations": [{"from": "gpt"}]}""", "no value")]
    [InlineData("""{"messages": [], "add_generation_prompt": 1}""", "must be true or false")]
    [InlineData("""{"messages": [], "tools": {}}""", "tools is an object")]
    public void What_is_no_conversation_is_said_in_a_sentence(string line, string part) =>
        Assert.Contains(part, Assert.Throws<UserErrorException>(() => Render(line)).Message, StringComparison.Ordinal);

    [Fact]
    public void Reasoning_has_the_names_that_templates_know() => Assert.Equal(
        "r r r",
        Render("""{"messages": [{"role": "assistant", "reasoning": "r"}]}""",
            "{% set m = messages[0] %}{{ m.reasoning_content }} {{ m.thinking }} {{ m.reasoning }}"));

    private static ModelTemplates Folder(params (string Name, string Text)[] files) =>
        ModelTemplates.Read(name => files.FirstOrDefault(f => f.Name == name).Text);

    [Fact]
    public void A_file_of_its_own_comes_before_the_config()
    {
        ModelTemplates found = Folder(
            ("chat_template.jinja", "own"),
                ("tokenizer_config.json", """{"chat_template": "config", "bos_token": {"content": "<s>"}, "eos_token": "</s>"}"""));
        Assert.Equal("own", found.Choose(null, hasTools: true));
        Assert.Equal(("<s>", "</s>"), (found.SpecialTokens["bos_token"], found.SpecialTokens["eos_token"]));
    }

    [Fact]
    public void Of_named_templates_the_one_for_tools_is_taken_where_there_are_tools()
    {
        ModelTemplates found = Folder((
            "tokenizer_config.json",
            """
            {"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"},
                {"name": "rag", "template": "r"}]}
            """));
        Assert.Equal("d t r", $"{found.Choose(null, false)} {found.Choose(null, true)} {found.Choose("rag", true)}");
        Assert.Contains(
            "default, rag, tool_use", Assert.Throws<UserErrorException>(() => found.Choose("x", false)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_a_template_is_refused() => Assert.Contains(
        "no chat template", Assert.Throws<UserErrorException>(() => Folder(("tokenizer_config.json", "{}"))).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Faults_are_sentences_with_the_line() => Assert.Equal(
        "the chat template at line 2 fails: 'a' is undefined (UndefinedError)",
        Assert.Throws<TemplateException>(() => Render("""{"messages": []}""", "x\n{{ a.b }}")).Message);
}
