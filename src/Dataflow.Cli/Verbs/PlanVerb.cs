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
        "dataflow plan 8b --seqlen 4096 --device-memory 24GiB --host-memory 192GiB --dtype bf16 --json",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command("plan", "Plans a training run within two memory budgets and says what it would do.");
        var options = new PlanOptions();
        var json = Values.Flag("--json", "print one JSON object");
        options.AddTo(command);
        command.Options.Add(json);
        command.SetAction(parsed => (int)Execute(options.Bind(parsed), parsed.GetValue(json)));
        return command;
    }

    private static ExitCode Execute(PlanSettings settings, bool json)
    {
        using var source = ModelSource.Open(settings.ModelPath);
        var budgets = Budgets.Choose(settings);
        var request = settings.Request(source.Model, WorkloadKind.Training, budgets.Memory);
        var result = Plans.Make(request);
        if (json)
        {
            var smallest = result is PlanResult.Feasible ? Startup.Show("finding the smallest budgets", () => Planner.Smallest(request)) : default;
            Console.Out.WriteLine(PlanJson.Of(request, result, smallest).ToJsonString());
        }

        var plan = Plans.Require(result);
        if (!json)
        {
            PlanReport.Write(Console.Out, plan, budgets);
            PlanReport.WriteTraffic(Console.Out, plan);
        }

        return ExitCode.Ok;
    }
}
