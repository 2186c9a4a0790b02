using System.CommandLine;
using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>dataflow chat: a conversation with a model, line by line.</summary>
internal static class ChatVerb
{
    private const int SeqlenElse = 4096;
    private const float TemperatureElse = 0.7f;
    private const string Commands = "/clear begins anew, /system TEXT too and says what the system says, /exit ends, Ctrl-C ends an answer";

    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow chat models/qwen3-0.6b",
        "dataflow chat run-folder --system \"You answer in one sentence.\" --temperature 0",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "chat",
            $"Talks with a model under its chat template: a line is what you say, and the answer appears as it is made. {Commands}."
        );
        var (plan, device, generation) = (new PlanFlags(), new DeviceFlags(), new GenerationFlags(tokensElse: null, TemperatureElse));
        var system = Declare.Option<string?>("--system", "TEXT", "what the system says first", t => t);
        plan.AddTo(command, ofSteps: false, ofRows: false);
        device.AddTo(command);
        command.Options.Add(system);
        generation.AddTo(command);
        command.SetAction(parsed =>
        {
            if (TextGenerator.TextsOf(plan.ModelPath(parsed), generation.Template(parsed)) is not { HasTemplate: true })
            {
                throw new UserErrorException(
                    $"{plan.ModelPath(parsed)} has no tokenizer with a chat template, so it knows no conversations; continue a text with "
                        + "`dataflow generate`");
            }

            var bound = plan.Bind(parsed, Room(plan.ModelPath(parsed))) with { Device = device.Bind(parsed) };
            return (int)Talk(generation.Bind(parsed, bound, batch: 1), parsed.GetValue(system));
        });
        return command;
    }

    private static int Room(string model) => TextGenerator.MostPositions(model) is { } most ? Math.Min(most, SeqlenElse) : SeqlenElse;

    private static ExitCode Talk(GenerationOptions options, string? system)
    {
        using var generator = TextGenerator.Open(options, GenerationReport.Tell);
        using var session = generator.Chat(system);
        bool person = !Console.IsInputRedirected;
        if (person)
        {
            Messages.Tell($"{generator.Device}, {options.Plan.Seqlen:N0} tokens; {Commands}");
        }

        while (Line(person) is { } line)
        {
            string said = line.Trim();
            if (said is "/exit" or "/quit")
            {
                break;
            }

            if (said == "/clear")
            {
                session.Clear(system);
            }
            else if (said.StartsWith("/system ", StringComparison.Ordinal))
            {
                session.Clear(system = said["/system ".Length..]);
            }
            else if (said.StartsWith('/'))
            {
                Messages.Tell($"there is no command {said}; {Commands}");
            }
            else if (said.Length > 0 && Answer(session, said, person) is { } ended)
            {
                return ended;
            }
        }

        return ExitCode.Ok;
    }

    private static string? Line(bool person)
    {
        if (person)
        {
            Console.Error.Write("> ");
        }

        return Console.In.ReadLine();
    }

    /// <summary>Says something and prints the answer.</summary>
    /// <returns>How the program ends, if it does: a person's Ctrl-C ends the answer alone.</returns>
    private static ExitCode? Answer(ChatSession session, string said, bool person)
    {
        using var stop = new StopSignals();
        try
        {
            session.Say(said, piece =>
            {
                Console.Out.Write(piece.Text);
                Console.Out.Flush();
            }, stop.Token);
            Console.Out.WriteLine();
        }
        catch (UserErrorException e) when (person)
        {
            Messages.Tell(e.Message);
        }

        return stop.By is { } signal && !(person && signal == PosixSignal.SIGINT) ? Interruption.CodeOf(signal) : null;
    }
}
