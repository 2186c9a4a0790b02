using System.CommandLine;
using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>dataflow generate: texts and conversations, continued.</summary>
internal static class GenerateVerb
{
    private const int TokensElse = 256;
    private const int BatchElse = 16;

    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow generate models/qwen3-0.6b --prompt \"The capital of France is\"",
        "dataflow generate run-folder --chat --prompt \"What does a planner decide?\" --temperature 0.7 --seed 1",
        "dataflow generate hf:Qwen/Qwen3-8B --prompts prompts.jsonl --json --device-memory 6GiB --host-memory 24GiB",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "generate",
            "Continues texts, or answers under the model's chat template, token by token. What does not fit the device travels within the "
                + "budgets, layer by layer, keys and values too. Of a run the newest good checkpoint is taken."
        );
        var (plan, device, generation) = (new PlanFlags(), new DeviceFlags(), new GenerationFlags(TokensElse, temperatureElse: 0));
        var prompt = Declare.Several("--prompt", "TEXT", "a text to continue; may be given again [default: standard input]", t => t);
        var prompts = Declare.Option<string?>(
            "--prompts", "FILE", "prompts as JSON lines: {\"prompt\"}, {\"messages\"} or {\"ids\"}", Values.FilePath);
        var chat = Declare.Flag("--chat", "each --prompt is what a user says, answered under the chat template");
        var system = Declare.Option<string?>("--system", "TEXT", "what the system says first, with --chat", t => t);
        var batch = Declare.Option(
            "--batch", "N", $"sequences side by side at most [default: the number of prompts, up to {BatchElse}]",
            Values.OptionalCount(1, 1 << 16));
        var json = Declare.Flag("--json", "print a line of JSON for each prompt, in their order");
        var dry = Declare.Flag(
            "--dry-run",
            "say what would stay on the device and how fast it is predicted to be, for --seqlen and --batch, on any --hardware, without "
                + "weights");
        plan.AddTo(command, ofSteps: false, ofRows: false);
        device.AddTo(command);
        foreach (var option in new Option[] { prompt, prompts, chat, system, batch, json, dry })
        {
            command.Options.Add(option);
        }

        generation.AddTo(command);
        command.SetAction(parsed =>
        {
            bool asChat = parsed.GetValue(chat);
            if (parsed.GetValue(dry))
            {
                if (new Option[] { prompt, prompts, chat, system }.FirstOrDefault(o => parsed.WasGiven(o)) is { } idle)
                {
                    throw new UserErrorException(
                        $"{idle.Name} says what is continued, and --dry-run continues nothing; leave one of them out");
                }

                var planned = generation.Bind(
                    parsed, plan.Bind(parsed) with { Device = device.Bind(parsed) }, parsed.GetValue(batch) ?? 1);
                return (int)GenerationReport.Print(GenerationPlan.Make(planned), planned.Plan.Seqlen, parsed.GetValue(json));
            }

            if (parsed.GetValue(system) is not null && !asChat)
            {
                throw new UserErrorException("--system is said in conversations; give --chat too, or leave it out");
            }

            if (generation.Template(parsed) is not null && !asChat && parsed.GetValue(prompts) is null)
            {
                throw new UserErrorException("--template is how conversations are written; give --chat too, or leave it out");
            }

            var wanted = Prompts(parsed.GetValue(prompt) ?? [], parsed.GetValue(prompts), asChat, parsed.GetValue(system));
            var texts = TextGenerator.TextsOf(plan.ModelPath(parsed), generation.Template(parsed));
            var ids = wanted.Select(p => p.Encode(texts)).ToList();
            int most = generation.MaxTokens(parsed)!.Value;
            if (plan.Seqlen(parsed) is { } room && room <= ids.Max(p => p.Count))
            {
                throw new UserErrorException(
                    $"the longest prompt has {ids.Max(p => p.Count):N0} tokens, and --seqlen is {room:N0}, prompt and continuation "
                        + "together; give a larger one, or leave it out");
            }

            var options = generation.Bind(
                parsed,
                plan.Bind(parsed, checked(ids.Max(p => p.Count) + most)) with { Device = device.Bind(parsed) },
                parsed.GetValue(batch) ?? Math.Min(ids.Count, BatchElse));
            return (int)Run(options, ids, parsed.GetValue(json));
        });
        return command;
    }

    private static IReadOnlyList<TextPrompt> Prompts(string[] given, string? file, bool chat, string? system)
    {
        if (file is not null)
        {
            return given.Length == 0 && !chat ? TextPrompt.Read(file) : throw new UserErrorException(
                "--prompts brings its own texts and conversations; leave --prompt and --chat out, or --prompts");
        }

        string[] texts = given.Length > 0 ? given : [Typed()];
        return
        [
            .. texts.Select(t => chat
                ? (TextPrompt)new TextPrompt.Chat([.. Said("system", system), .. Said("user", t)])
                : new TextPrompt.Text(t)),
        ];
    }

    /// <summary>Standard input; the line end that editors and echo put behind a text is no part of it.</summary>
    private static string Typed()
    {
        if (!Console.IsInputRedirected)
        {
            Messages.Tell("type a text; Ctrl-D on a line of its own ends it");
        }

        string text = Console.In.ReadToEnd();
        return text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
    }

    private static IEnumerable<ChatMessage> Said(string role, string? text) => text is null ? [] : [new ChatMessage(role, text)];

    private static ExitCode Run(GenerationOptions options, List<IReadOnlyList<int>> prompts, bool json)
    {
        using var stop = new StopSignals();
        using var generator = TextGenerator.Open(options, GenerationReport.Tell);
        var told = new GeneratedTexts(Console.Out, prompts.Select(p => p.Count).ToList(), json);
        var clock = Stopwatch.StartNew();
        foreach (var piece in generator.Continue(prompts, stop.Token))
        {
            told.Take(piece);
        }

        told.Finish();
        GenerationReport.Speed(generator, prompts.Count, prompts.Sum(p => (long)p.Count), told, clock.Elapsed);
        return stop.By is { } signal ? Interruption.CodeOf(signal) : ExitCode.Ok;
    }
}
