using System.CommandLine;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow verify: proves a schedule, or says what is wrong with it.</summary>
internal static class VerifyVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow verify models/micro.json --seqlen 256 --device-memory 0.03 --host-memory 0.25",
        "dataflow verify schedule.txt --device-memory 32MiB",
    ];

    private const string Header = "schedule ";
    private static readonly Bytes LargestText = new(1 << 28);

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "verify",
            "Proves that a plan's schedule, or a printed one, may run: every hazard ordered, every value in place, both budgets held."
        );
        var options = new RequestFlags();
        var of = Declare.Option<string?>(
            "--of",
            "MODEL",
            "the model that a printed schedule is for, as for plan [default: the name in models/ that it states]",
            Values.FilePath
        );
        options.AddTo(command);
        command.Options.Add(of);
        command.SetAction(given =>
        {
            var parsed = options.Complete(given);
            return (int)Execute(options, parsed, parsed.GetValue(of));
        });
        return command;
    }

    private static ExitCode Execute(RequestFlags options, ParseResult parsed, string? of)
    {
        string path = options.ModelPath(parsed);
        if (ReadSchedule(path) is { } text)
        {
            var (device, host) = options.Budgets(parsed);
            var schedule = Parse(path, text);
            using var stated = ModelOf(schedule, path, of);
            return Verify(schedule, device, host, stated.Model, hash: null);
        }

        var (question, budgets) = options.Bind(parsed);
        return Plans.Make(question) switch
        {
            PlanResult.Infeasible infeasible => throw new InfeasibleException(infeasible.Reason),
            PlanResult.Feasible { Plan: var plan } => Verify(
                plan.Schedule,
                budgets.Memory.Device,
                budgets.Memory.Host,
                plan.Workload.Model,
                plan.Hash
            ),
            _ => throw new InvalidOperationException("no result"),
        };
    }

    private static ExitCode Verify(Schedule schedule, Bytes? device, Bytes? host, ModelConfig model, string? hash)
    {
        var errors = Waiting.For("verifying the schedule", () => Plans.Verify(schedule, device, host, model));
        Console.Out.WriteLine(
            $"{schedule.Ops.Length} ops, {schedule.Ops.Sum(o => o.Waits.Length)} waits, {schedule.Slots.Length} slots, "
                + $"{schedule.Objects.Length} objects"
        );
        foreach (
            var (arena, budget) in schedule.Arenas.Select(a =>
                (
                    a,
                    a.Name == MemoryTier.Device.Name ? device
                    : a.Name == MemoryTier.Host.Name ? host
                    : null
                )
            )
        )
        {
            Console.Out.WriteLine(
                $"{arena.Name} memory {(budget is { } b ? PlanReport.Against(arena.Length, b) : $"{arena.Length}, no budget given")}"
            );
        }

        foreach (var error in errors)
        {
            Console.Out.WriteLine($"[{error.Rule}] {error.Message}");
        }

        Console.Out.WriteLine(
            errors.Count == 0
                ? "verified: no error"
                : $"refused: {errors.Count}{(errors.Count == ScheduleVerifier.MaxErrors ? " or more" : "")} "
                    + $"error{(errors.Count == 1 ? "" : "s")}"
        );
        Console.Out.WriteLine($"hash {hash ?? ScheduleHash.Of(schedule)}");
        return errors.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
    }

    /// <summary>The text of a printed schedule, read once because it may be a pipe; null if the path is something else.</summary>
    private static string? ReadSchedule(string path)
    {
        bool named = path.EndsWith(".txt", StringComparison.OrdinalIgnoreCase);
        if (!File.Exists(path))
        {
            return !named
                ? null
                : throw new UserErrorException(
                    Directory.Exists(path) ? $"{path} is a folder, and a file is needed" : $"{path} does not exist"
                );
        }

        string text = InputFile.ReadText(path, LargestText);
        return named || text.StartsWith(Header, StringComparison.Ordinal) ? text : null;
    }

    /// <summary>The model whose step a printed schedule has to be: what has no model cannot be held to one.</summary>
    private static ModelSource ModelOf(Schedule schedule, string path, string? of)
    {
        string? named = StepFacts.ModelOf(schedule);
        try
        {
            return Notices.Open(of ?? named ?? throw new UserErrorException("it states no model"));
        }
        catch (UserErrorException e) when (of is null)
        {
            throw new UserErrorException($"{path} is a schedule of the model {named ?? "(none)"}: {e.Message}; name its config with --of");
        }
    }

    private static Schedule Parse(string path, string text)
    {
        try
        {
            return ScheduleText.Parse(text);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new UserErrorException($"{path} is no schedule: {e.Message}");
        }
    }
}
