using System.Diagnostics;
using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow generate and dataflow chat: ids, texts and conversations go on as the model has it, whatever the budgets.</summary>
[Trait("Slow", "true")]
public sealed class GenerateTests(GenerateTests.TrainedModel trained) : IClassFixture<GenerateTests.TrainedModel>
{
    private const string Budgets = "--device-memory 64MiB --host-memory 128MiB";

    [Fact]
    public void Ids_go_on_as_transformers_has_them_alone_and_among_others()
    {
        string folder = Path.Combine(Programs.Root, "tests", "golden-families", "llama-bias");
        using var golden = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "generation.json")));
        string prompt = golden.RootElement.GetProperty("prompt").GetRawText(), want = golden.RootElement.GetProperty("ids").GetRawText();
        File.WriteAllLines(F("ids.jsonl"), [$"{{\"ids\": {prompt}}}", "{\"ids\": [3]}", "{\"ids\": [5, 6, 7, 8, 9, 10, 11, 12, 13]}"]);
        foreach (string how in new[] { "", "--batch 1", "--device-memory 1MiB", "--chunk 5" })
        {
            string budgets = how.Contains("--device-memory", StringComparison.Ordinal) ? "--host-memory 128MiB" : Budgets;
            var lines = Lines($"generate {folder} --prompts {F("ids.jsonl")} --max-tokens 24 --json --device cpu {budgets} {how}");
            Assert.Equal(3, lines.Count);
            Assert.Equal(JsonSerializer.Deserialize<int[]>(want), lines[0].GetProperty("ids").Deserialize<int[]>());
            Assert.All(lines, l => Assert.Equal("length", l.GetProperty("end").GetString()));
        }
    }

    [Fact]
    public void A_text_goes_on_within_any_budgets_and_from_a_run_as_from_its_export()
    {
        string what = "--prompt Line --max-tokens 20 --device cpu";
        string roomy = Text($"generate {F("model")} {what} {Budgets}");
        Assert.NotEmpty(roomy.Trim());
        Assert.Equal(roomy, Text($"generate {F("model")} {what} --device-memory 2MiB --host-memory 32MiB"));

        // The run's model is a config alone, so that no tokenizer goes with it.
        var ids = Lines($"generate {F("model")} {what} {Budgets} --json")[0];
        File.WriteAllText(F("ids.jsonl"), $"{{\"ids\": {Prompt("Line")}}}");
        var fromRun = Lines(
            $"generate {F("run")} --prompts {F("ids.jsonl")} --max-tokens 20 --ignore-end --device cpu {Budgets} --json")[0];
        Assert.Equal(
            ids.GetProperty("ids").Deserialize<int[]>(),
            fromRun.GetProperty("ids").Deserialize<int[]>()![..ids.GetProperty("ids").GetArrayLength()]);
    }

    [Fact]
    public void A_continuation_ends_at_a_stop_text_at_the_end_token_or_at_its_length()
    {
        var whole = Lines($"generate {F("model")} --prompt Line --max-tokens 24 --ignore-end --json --device cpu {Budgets}")[0];
        string text = whole.GetProperty("text").GetString()!;
        Assert.Equal("length", whole.GetProperty("end").GetString());
        string stop = text[4..7];
        var stopped = Lines(["generate", F("model"), "--prompt", "Line", "--max-tokens", "24", "--ignore-end", "--json", "--device", "cpu",
            .. Budgets.Split(' '), "--stop", stop, "--stop", "never said"])[0];
        Assert.Equal("stop-text", stopped.GetProperty("end").GetString());
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], stopped.GetProperty("text").GetString());

        // Nothing is said after the end token; it is among the ids, and its text is not shown.
        var lines = Lines($"generate {F("model")} --prompt Line --max-tokens 400 --json --device cpu {Budgets}");
        Assert.DoesNotContain("<|end|>", lines[0].GetProperty("text").GetString());
        Assert.Contains(lines[0].GetProperty("end").GetString(), new[] { "end-token", "length" });
    }

    [Fact]
    public void By_chance_the_same_seed_says_the_same_and_another_something_else()
    {
        string what = $"generate {F("model")} --prompt Line --max-tokens 30 --ignore-end --temperature 1.5 --device cpu {Budgets} --seed";
        Assert.Equal(Text($"{what} 4"), Text($"{what} 4"));
        Assert.NotEqual(Text($"{what} 4"), Text($"{what} 5"));
    }

    [Fact]
    public void A_conversation_line_by_line_says_what_generate_says_to_its_first_line()
    {
        string once = Text($"generate {F("model")} --chat --prompt Hello --max-tokens 16 --device cpu {Budgets}");
        var (status, output, errors) = Chat(
            $"chat {F("model")} --seqlen 256 --max-tokens 16 --temperature 0 --device cpu {Budgets}",
            "Hello\nAnd then?\n/nonsense\n/clear\nHello\n/exit\nnot reached\n");
        Assert.Equal(0, status);
        Assert.StartsWith(once, output);
        Assert.EndsWith(once, output);
        Assert.Contains("there is no command /nonsense", errors);
    }

    /// <summary>Its states are of all that was said: a turn that goes on goes on from them, one that begins anew is read anew.</summary>
    [Fact]
    public void A_model_whose_layers_keep_states_holds_a_conversation_too()
    {
        const string config = """
            {"model_type": "qwen3_5_text", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 48, "linear_num_key_heads": 1, "linear_num_value_heads": 2,
            "linear_key_head_dim": 8, "linear_value_head_dim": 8, "layer_types": ["linear_attention", "full_attention"]}
            """;
        File.WriteAllText(F("states.json"), config);
        Programs.Good(Programs.Dataflow(
            $"train {F("states.json")} --seqlen 32 --data {F("a.txt")} --documents line --tokenizer {F("tok")} --steps 8 --lr 1e-2 "
                + $"--global-batch 256 --device cpu --export {F("states")} {Budgets}"));
        foreach (string file in Directory.GetFiles(F("model")).Where(f => !File.Exists(Path.Combine(F("states"), Path.GetFileName(f)))))
        {
            File.Copy(file, Path.Combine(F("states"), Path.GetFileName(file)));
        }

        string once = Text($"generate {F("states")} --chat --prompt Hello --max-tokens 16 --device cpu {Budgets}");
        var (status, output, errors) = Chat(
            $"chat {F("states")} --seqlen 256 --max-tokens 16 --temperature 0 --device cpu {Budgets}",
            "Hello\nAnd then?\n/clear\nHello\n/exit\n");
        Assert.True(status == 0, errors);
        Assert.StartsWith(once, output);
        Assert.EndsWith(once, output);
    }

    [Fact]
    public void What_does_not_fit_a_conversation_that_no_person_reads_ends_it()
    {
        var (status, output, errors) = Chat(
            $"chat {F("model")} --seqlen 40 --max-tokens 8 --temperature 0 --device cpu {Budgets}",
            $"Hello\n{string.Concat(Enumerable.Repeat("and so on and ", 30))}\nHello\n");
        Assert.Equal(2, status);
        Assert.Contains("there is room for 40", errors);
        Assert.Single(output.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void A_text_from_standard_input_is_continued_without_its_last_line_end()
    {
        string command = $"echo Line | bin/dataflow generate {F("model")} --max-tokens 9 --device cpu {Budgets}";
        var start = new ProcessStartInfo("sh", ["-c", command])
        {
            WorkingDirectory = Programs.Root, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(Text($"generate {F("model")} --prompt Line --max-tokens 9 --device cpu {Budgets}"), output);
    }

    [Fact]
    public void A_plan_is_said_without_weights_for_any_machine()
    {
        const string request = "generate 8b --dry-run --dtype bf16 --host-memory 64GiB --hardware h100";
        string line = Text($"{request} --seqlen 4096 --device-memory 12GiB --json");
        using var made = JsonDocument.Parse(line);
        int Number(string name) => made.RootElement.GetProperty(name).GetInt32();
        Assert.True(made.RootElement.GetProperty("device_bytes").GetInt64() <= 12L << 30);
        Assert.Equal(32, Number("layers_with_keys_on_device"));
        Assert.InRange(Number("layers_with_parameters_on_device"), 10, 31);

        // What does not stay comes over the link once a token: 14 layers of 436 MB at 50 GB/s or so.
        Assert.InRange(made.RootElement.GetProperty("tokens_per_second").GetDouble(), 4, 16);
        Assert.Contains("of all 32 layers stay", Text($"{request} --seqlen 512 --device-memory 30GiB"));
    }

    [Theory]
    [InlineData("generate nowhere --prompt a", "nowhere does not exist")]
    [InlineData("generate MODEL --prompts GOOD --prompt a", "--prompts brings its own texts")]
    [InlineData("generate MODEL --prompt a --system b", "give --chat too")]
    [InlineData("generate MODEL --prompts BAD", "line 1 is no prompt")]
    [InlineData("generate MODEL --prompts UNKNOWN", "the token 300, and the model knows those from 0 to 299")]
    [InlineData("generate MODEL --prompts EMPTY", "has no token")]
    [InlineData("generate MODEL --prompt a --seqlen 2 --max-tokens 0", "--max-tokens")]
    [InlineData("generate MODEL --prompt aaaaaaaaaaaaaaaaaaaaaaa --seqlen 4", "the longest prompt has")]
    [InlineData("generate MODEL --prompt a --top-p 0", "--top-p")]
    [InlineData("generate MODEL --prompt a --device-memory 100KiB --host-memory 1GiB", "device memory")]
    [InlineData("generate NANO --prompt a", "no folder with weights")]
    [InlineData("generate RUN --prompt a", "the model brings no tokenizer")]
    [InlineData("chat RUN --seqlen 64", "has no tokenizer with a chat template")]
    [InlineData("generate MODEL --prompt a --top-p 0.9", "at temperature 0 the likeliest token is taken")]
    [InlineData("generate MODEL --prompt a --seed 4", "at temperature 0 the likeliest token is taken")]
    [InlineData("generate MODEL --prompt a --template x", "give --chat too")]
    [InlineData("generate MODEL --prompts KEYS", "a prompt has no key max_tokens")]
    [InlineData("generate MODEL --dry-run --prompt a --seqlen 64", "--dry-run continues nothing")]
    [InlineData("generate NANO --dry-run --seqlen 20000000", "--seqlen")]
    [InlineData("generate FOLDER --prompt a", "has neither weights nor checkpoints")]
    public void What_cannot_be_done_is_one_sentence(string arguments, string sentence)
    {
        File.WriteAllText(F("good.jsonl"), "{\"prompt\": \"a\"}");
        File.WriteAllText(F("bad.jsonl"), "{\"prompt\": 5}");
        File.WriteAllText(F("unknown.jsonl"), "{\"ids\": [1, 300]}");
        File.WriteAllText(F("empty.jsonl"), "{\"ids\": []}");
        File.WriteAllText(F("keys.jsonl"), "{\"prompt\": \"a\", \"max_tokens\": 2}");
        string line = arguments.Replace("MODEL", F("model"), StringComparison.Ordinal).Replace("RUN", F("run"), StringComparison.Ordinal)
            .Replace("NANO", Path.Combine(Programs.Root, "models", "nano.json"), StringComparison.Ordinal)
            .Replace("GOOD", F("good.jsonl"), StringComparison.Ordinal).Replace("BAD", F("bad.jsonl"), StringComparison.Ordinal)
            .Replace("KEYS", F("keys.jsonl"), StringComparison.Ordinal).Replace("FOLDER", F("tok"), StringComparison.Ordinal)
            .Replace("UNKNOWN", F("unknown.jsonl"), StringComparison.Ordinal).Replace("EMPTY", F("empty.jsonl"), StringComparison.Ordinal);
        string budgets = line.Contains("--device-memory", StringComparison.Ordinal) ? "" : Budgets;
        var outcome = Programs.Dataflow($"{line} --device cpu {budgets}");
        Assert.NotEqual(0, outcome.Status);
        Assert.Contains(sentence, outcome.Errors);
        Assert.DoesNotContain("   at ", outcome.Errors);
    }

    private string F(string name) => trained.Scratch.File(name);

    private string Prompt(string text)
    {
        var line = Lines($"generate {F("model")} --prompt {text} --max-tokens 1 --json --device cpu {Budgets}")[0];
        int count = line.GetProperty("prompt_tokens").GetInt32();
        int[] ids = [.. TokenizerFolder.Read(F("model")).EncodeIds(text, addSpecialTokens: true)];
        Assert.Equal(count, ids.Length);
        return JsonSerializer.Serialize(ids);
    }

    private static string Text(string arguments) => Output(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    // How fast it was is said besides.
    private static string Output(string[] arguments)
    {
        var outcome = InProcess.Run(DataflowCommand.Run, arguments);
        Assert.True(outcome.Status == 0, outcome.Errors);
        return outcome.Output;
    }

    private static List<JsonElement> Lines(string arguments) => Lines(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static List<JsonElement> Lines(string[] arguments) =>
    [
        .. Output(arguments).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonDocument.Parse(l).RootElement),
    ];

    private static (int Status, string Output, string Errors) Chat(string arguments, string input)
    {
        var start = new ProcessStartInfo(Path.Combine(Programs.Root, "bin", "dataflow"), arguments.Split(' '))
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.GetAwaiter().GetResult());
    }

    /// <summary>A small model with a tokenizer and a chat template, and the run that trained it.</summary>
    public sealed class TrainedModel : IDisposable
    {
        private const string Template =
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

        public TrainedModel()
        {
            string F(string name) => Scratch.File(name);
            File.WriteAllLines(
                F("a.txt"), Enumerable.Range(0, 40).Select(i => $"Line {i} says that {i * 7} is a number{new string('!', i)}"));
            File.WriteAllText(F("model.json"), File.ReadAllText(Path.Combine(Programs.Root, "models", "nano.json"))
                .Replace("\"vocab_size\": 256", "\"vocab_size\": 300", StringComparison.Ordinal));
            Directory.CreateDirectory(F("tok"));
            Programs.Good(Programs.Dataflow($"tokenizer train {F("tok")} --text {F("a.txt")} --vocab-size 300 --end <|end|>"));
            Programs.Good(Programs.Dataflow(
                $"train {F("model.json")} --seqlen 32 --data {F("a.txt")} --documents line --tokenizer {F("tok")} --steps 30 --lr 3e-3 "
                    + $"--global-batch 256 --device cpu --export {F("model")} --checkpoint {F("run")} {Budgets}"));
            foreach (string file in Directory.GetFiles(F("tok")))
            {
                File.Copy(file, Path.Combine(F("model"), Path.GetFileName(file)), overwrite: true);
            }

            File.WriteAllText(Path.Combine(F("model"), "chat_template.jinja"), Template);
        }

        internal ScratchFolder Scratch { get; } = new();

        public void Dispose() => Scratch.Dispose();
    }
}
