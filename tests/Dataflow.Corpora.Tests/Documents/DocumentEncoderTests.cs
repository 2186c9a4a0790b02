using System.Text;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Corpora.Tests.Documents;

/// <summary>Documents as ids: begin and end tokens, and which tokens are trained.</summary>
public sealed class DocumentEncoderTests
{
    internal const string ChatMl =
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    private const string Marked =
        "{% for m in messages %}{% if m.role == 'assistant' %}A: {% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\n"
            + "{% else %}U: {{ m.content }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}A: {% endif %}";

    private const string Chat =
        """{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who jumps?"}, """
            + """{"role": "assistant", "content": "The fox."}, {"role": "user", "content": "Over?"}, """
            + """{"role": "assistant", "content": "The dog."}]}""";

    [Fact]
    public void A_text_ends_with_one_end_token_and_all_is_trained()
    {
        var made = Encode(Given.Rules, DocumentKind.Text, "the word");
        Assert.Equal("the word<|end|>", Shown(made));
        Assert.Null(made.Weights);
        Assert.Equal("the word", Shown(Encode(Given.Rules with { End = null }, DocumentKind.Text, "the word")));
        Assert.Equal(Outcome.Empty, Encode(Given.Rules, DocumentKind.Text, "").Outcome);
    }

    [Theory]
    [InlineData(true, false, "<|im_start|>the word<|end|>")]
    [InlineData(true, true, "<|im_start|>the word<|end|>")]
    [InlineData(false, true, "the word<|end|>")]
    public void What_the_tokenizers_own_template_adds_stands_once(bool begins, bool ends, string expected)
    {
        static JsonObject Special(string token) => new() { ["SpecialToken"] = new JsonObject { ["id"] = token, ["type_id"] = 0 } };
        static JsonObject Text(string id) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = 0 } };
        static JsonObject Known(string token) => new()
        {
            ["id"] = token, ["ids"] = new JsonArray(Given.Tokenizer.IdOf(token)), ["tokens"] = new JsonArray(token),
        };
        var post = new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray([
                .. begins ? [Special("<|im_start|>")] : Array.Empty<JsonNode>(), Text("A"),
                .. ends ? [Special(Given.End)] : Array.Empty<JsonNode>(),
            ]),
            ["pair"] = new JsonArray(Text("A"), Text("B")),
            ["special_tokens"] = new JsonObject { ["<|im_start|>"] = Known("<|im_start|>"), [Given.End] = Known(Given.End) },
        };
        var rules = Given.Rules with { Tokenizer = With(post) };
        Assert.Equal(expected, Shown(Encode(rules, DocumentKind.Text, "the word")));

        // A chat template writes its own.
        string chat = Shown(Encode(rules with { Template = ChatMl }, DocumentKind.Conversation, Chat));
        Assert.StartsWith("<|im_start|>system", chat, StringComparison.Ordinal);
        Assert.EndsWith("<|im_end|>\n]<|end|>", chat, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("The quick", " brown fox.", "The quick[ brown fox.<|end|>]")]
    [InlineData("", "All of it.", "[All of it.<|end|>]")]
    [InlineData("The qu", "ick", "The[ quick<|end|>]")] // a token across the border is trained
    public void A_completion_is_trained_without_its_prompt(string prompt, string completion, string expected)
    {
        var passage = Given.Passage(prompt + completion, kind: DocumentKind.Completion) with { PromptLength = prompt.Length };
        Assert.Equal(expected, Shown(new DocumentEncoder(Given.Rules).Encode(passage)));
    }

    [Fact]
    public void A_prompt_without_a_completion_trains_nothing()
    {
        var passage = Given.Passage("The quick", kind: DocumentKind.Completion) with { PromptLength = 9 };
        Assert.Equal(Outcome.Untrained, new DocumentEncoder(Given.Rules).Encode(passage).Outcome);
    }

    [Fact]
    public void The_assistants_turns_are_found_where_the_template_does_not_say() => Assert.Equal(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho jumps?<|im_end|>\n<|im_start|>assistant\n[The fox.<|im_end|>\n]"
            + "<|im_start|>user\nOver?<|im_end|>\n<|im_start|>assistant\n[The dog.<|im_end|>\n]<|end|>",
        Shown(Encode(Given.Rules with { Template = ChatMl }, DocumentKind.Conversation, Chat)));

    [Fact]
    public void A_template_that_says_what_is_the_assistants_is_followed() => Assert.Equal(
        "U: Be brief.\nU: Who jumps?\nA: [The fox.<|im_end|>]U: Over?\nA: [The dog.<|im_end|>]<|end|>",
        Shown(Encode(Given.Rules with { Template = Marked }, DocumentKind.Conversation, Chat)));

    [Fact]
    public void An_end_token_that_the_template_writes_is_not_written_again()
    {
        var rules = Given.Rules with { Template = ChatMl.Replace("<|im_end|>", "<|end|>", StringComparison.Ordinal) };
        string shown = Shown(Encode(rules, DocumentKind.Conversation, Chat));
        Assert.EndsWith("[The dog.<|end|>\n]", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_turn_that_does_not_begin_as_the_prompt_does_is_found()
    {
        const string Template =
            "{% for m in messages %}{% if m.tool_calls %}CALL {{ m.tool_calls[0].function.name }}\n"
                + "{% else %}{{ m.role }}: {{ m.content }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
        const string Turns =
            """{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "", "tool_calls": """
                + """[{"type": "function", "function": {"name": "look", "arguments": {}}}]}, {"role": "tool", "content": "fox"}, """
                + """{"role": "assistant", "content": "The fox."}]}""";
        Assert.Equal(
            "user: Who?\n[CALL look\n]tool: fox\nassistant: [The fox.\n]<|end|>",
            Shown(Encode(Given.Rules with { Template = Template }, DocumentKind.Conversation, Turns)));
    }

    [Fact]
    public void A_template_knows_the_models_special_tokens() => Assert.Equal(
        "user: Hi[ assistant: Yes<|end|> ]",
        Shown(Encode(
            Given.Rules with
            {
                Template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %} "
                    + "{% endfor %}",
                SpecialTokens = new Dictionary<string, string> { ["eos_token"] = Given.End },
            },
            DocumentKind.Conversation,
            """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]}""")));

    [Fact]
    public void ShareGpt_is_read_as_messages()
    {
        const string Turns = """{"conversations": [{"from": "human", "value": "Who jumps?"}, {"from": "gpt", "value": "The fox."}]}""";
        Assert.Equal(
            "<|im_start|>user\nWho jumps?<|im_end|>\n<|im_start|>assistant\n[The fox.<|im_end|>\n]<|end|>",
            Shown(Encode(Given.Rules with { Template = ChatMl }, DocumentKind.Conversation, Turns)));
    }

    [Fact]
    public void Of_a_prompt_and_a_completion_of_turns_the_completion_is_trained()
    {
        string json = Chat.Replace("{\"messages\"", "{\"completion_from\": 4, \"messages\"", StringComparison.Ordinal);
        Assert.EndsWith(
            "assistant\nThe fox.<|im_end|>\n<|im_start|>user\nOver?<|im_end|>\n<|im_start|>assistant\n[The dog.<|im_end|>\n]<|end|>",
            Shown(Encode(Given.Rules with { Template = ChatMl }, DocumentKind.Conversation, json)),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ raise_exception('no system turn') }}", "texts, line 1: the chat template at line 1 refuses")]
    [InlineData("{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}", "texts, line 1: ")]
    public void A_template_that_fails_is_said_with_the_record(string template, string part) => Assert.StartsWith(
        part,
        Assert.ThrowsAny<UserErrorException>(
            () => Encode(Given.Rules with { Template = template }, DocumentKind.Conversation, Chat)).Message,
        StringComparison.Ordinal);

    [Fact]
    public void A_conversation_without_a_template_is_refused() => Assert.Contains(
        "give one with --template",
        Assert.Throws<UserErrorException>(() => Encode(Given.Rules, DocumentKind.Conversation, Chat)).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Identities_differ_where_ids_may()
    {
        var rules = Given.Rules with { Template = ChatMl };
        EncodingRules[] all =
        [
            rules, rules with { End = null }, rules with { Template = Marked }, rules with { TokenizerHash = "other" },
            rules with { DropsUntrained = true },
            rules with { Template = "{{ strftime_now('%Y') }}" },
            rules with { Template = "{{ strftime_now('%Y') }}", Now = new DateTime(2025, 1, 1, 0, 0, 0, DateTimeKind.Unspecified) },
        ];
        Assert.Equal(all.Length, all.Select(r => r.Identity).Distinct().Count());
        Assert.Equal(rules.Identity, (rules with { Now = new DateTime(2025, 1, 1, 0, 0, 0, DateTimeKind.Unspecified) }).Identity);
    }

    private static EncodedPassage Encode(EncodingRules rules, DocumentKind kind, string text) =>
        new DocumentEncoder(rules).Encode(Given.Passage(text, kind: kind));

    // The text, with what is trained between brackets where not all is.
    private static string Shown(in EncodedPassage passage)
    {
        var shown = new StringBuilder();
        bool within = false;
        for (int i = 0; i < passage.Ids.Count; i++)
        {
            bool trained = passage.Weights is { } weights && weights[i] != 0;
            shown.Append(trained == within ? "" : trained ? "[" : "]");
            shown.Append(Given.Tokenizer.Decode([passage.Ids[i]], skipSpecialTokens: false));
            within = trained;
        }

        return shown.Append(within ? "]" : "").ToString();
    }

    private static TextTokenizer With(JsonNode post)
    {
        var json = JsonNode.Parse(Given.TokenizerJson)!;
        json["post_processor"] = post;
        return TextTokenizer.FromJson(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()));
    }
}
