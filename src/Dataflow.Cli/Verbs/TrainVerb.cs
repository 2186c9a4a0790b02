using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>dataflow train: trains.</summary>
internal static class TrainVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow train models/nano.json --seqlen 128 --device-memory 16MiB --host-memory 64MiB --data README.md --steps 20",
        "dataflow train models/nano.json --seqlen 128 --data README.md --steps 20 --checkpoint run --checkpoint-every 5",
        "dataflow train run.yaml --steps 40",
        "dataflow train --resume run --steps 40",
        "dataflow train models/nano.json --seqlen 128 --data README.md --lr-find 1e-5..1 --steps 60 --page rates.html",
    ];

    private const int DefaultSteps = 10;

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command("train", "Trains a model on a text or on token ids.");
        var (plan, policy, training, device) = (
            new PlanFlags(),
            PolicyFlags.OfPlans,
            new TrainingFlags(DefaultSteps),
            new DeviceFlags()
        );
        plan.AddTo(command);
        policy.AddTo(command);
        training.AddTo(command);
        device.AddAllTo(command);
        RunFileCommandLine.AddTo(command);
        command.SetAction(given =>
        {
            var (parsed, from) = training.Complete(given);
            var asked = policy.Bind(parsed, plan.Bind(parsed)) with { Device = device.Bind(parsed) };
            return (int)TrainingCommand.Execute(training.Bind(parsed, asked, from), training.IsJson(parsed), training.RangeOf(parsed));
        });
        return command;
    }
}
