using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>All that shapes a plan, for the verbs that plan without running: their plan is the one that `train` runs.</summary>
internal sealed class RequestFlags
{
    private readonly PlanFlags plan = new();
    private readonly PolicyFlags policy = PolicyFlags.OfPlans;
    private readonly DeviceFlags device = new();
    private readonly Option<string?> text = Declare.Option<string?>(
        "--data",
        "FILE",
        "the text that is to be trained on: a step has no more rows than it",
        Values.FilePath
    );
    private readonly Option<string?> tokens = Declare.Option<string?>(
        "--tokens",
        "FILE",
        "the token ids that are to be trained on, likewise",
        Values.FilePath
    );

    private readonly Option<bool> pairs = Declare.Flag("--pairs", "a step on pairs of answers, as train --preference-loss takes it");

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        plan.AddTo(command);
        policy.AddTo(command);
        command.Options.Add(text);
        command.Options.Add(tokens);
        command.Options.Add(pairs);
        device.AddKindTo(command);
        RunFileCommandLine.AddTo(command);
    }

    /// <summary>The command line with what a run file says that it names; what is of training alone is passed over.</summary>
    /// <exception cref="UserErrorException">The file cannot be read, or is none.</exception>
    public ParseResult Complete(ParseResult given)
    {
        if (RunFileCommandLine.Of(given) is not { } file)
        {
            return given;
        }

        var training = RunFileCommandLine.Settings(TrainVerb.Command()).Select(o => o.Name[2..]).ToHashSet();
        var entries = file.Entries.Select(e => e.Name == PreferenceFlags.Loss ? e with { Name = pairs.Name[2..], Value = "true" } : e);
        return RunFileCommandLine.Complete(file with { Entries = [.. entries] }, given, training);
    }

    /// <summary>The positional argument alone.</summary>
    public string ModelPath(ParseResult parsed) => plan.ModelPath(parsed);

    /// <summary>The budgets alone.</summary>
    public (Bytes? Device, Bytes? Host) Budgets(ParseResult parsed) => plan.Budgets(parsed);

    /// <summary>The plan that is asked for, and how its budgets came about.</summary>
    /// <exception cref="UserErrorException">No sequence length, no profile of the machine, no model, or data that cannot be
    /// used.</exception>
    /// <exception cref="MachineException">A GPU was asked for, and there is none that can be used.</exception>
    public (PlanQuestion Question, Budgets Budgets) Bind(ParseResult parsed)
    {
        var asked = Plans.Ask(
            policy.Bind(parsed, plan.Bind(parsed)) with { Device = device.Bind(parsed), Pairs = parsed.GetValue(pairs) },
            new DataChoice(parsed.GetValue(text) is { } named ? [named] : [], parsed.GetValue(tokens), new CorpusOptions()));
        Notices.Tell(asked.Notes);
        return (asked.Question, asked.Budgets);
    }
}
