using System.CommandLine;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cli;

/// <summary>dataflow plan: what a run would do, without running it.</summary>
internal static class PlanVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow plan models/micro.json --seqlen 256 --device-memory 0.03 --host-memory 0.25",
        "dataflow plan 8b --seqlen 4k --device-memory 24GiB --host-memory 192GiB --hardware h100 --json",
        "dataflow plan 8b --seqlen 8192 --device-memory 24 --host-memory 110 --hardware h100 --explain",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command("plan", "Plans a training run within two memory budgets and says what it would do.");
        var options = new RequestFlags();
        var explain = Declare.Flag("--explain", Explanations.Help);
        var json = Declare.Flag("--json", "print one JSON object");
        options.AddTo(command);
        command.Options.Add(explain);
        command.Options.Add(json);
        command.SetAction(given =>
        {
            var parsed = options.Complete(given);
            var (question, budgets) = options.Bind(parsed);
            return (int)Execute(question, budgets, parsed.GetValue(explain), parsed.GetValue(json));
        });
        return command;
    }

    private static ExitCode Execute(PlanQuestion question, Budgets budgets, bool explain, bool json)
    {
        var by = question.By;
        var (result, why) = explain ? Plans.Explain(question) : (Plans.Make(question), null);
        var notes = PlanNotes.Of(question, result);
        if (json)
        {
            var limits = result is PlanResult.Feasible ? Waiting.For("finding the smallest budgets", question.Limits) : null;
            (Bytes?, Bytes?)? smallest = limits is null
                ? null
                : (limits.LeastDevice(budgets.Memory.Host), limits.LeastHost(budgets.Memory.Device));
            var answer = PlanJson.Of(question.Request, result, smallest, by, notes, budgets.HostIsThisMachines);
            if (explain)
            {
                answer["explain"] = why is null ? null : ExplanationJson.Of(why, by.Machine!, Explanations.Recipe(question));
            }

            Console.Out.WriteLine(answer.ToJsonString());
        }

        var plan = Plans.Require(result);
        if (!json)
        {
            PlanReport.Write(Console.Out, plan, budgets, by, notes);
            PlanReport.WriteTraffic(Console.Out, plan);
            if (why is not null)
            {
                ExplanationReport.Write(Console.Out, why, by.Machine!, Explanations.Recipe(question));
            }
        }

        return ExitCode.Ok;
    }
}
