using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>All that shapes a plan, for the verbs that plan without running: their plan is the one that `train` runs.</summary>
internal sealed class RequestOptions
{
    private readonly PlanOptions plan = new();
    private readonly PolicyOptions policy = PolicyOptions.OfPlans;
    private readonly DeviceOptions device = new();
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

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        plan.AddTo(command);
        policy.AddTo(command);
        command.Options.Add(text);
        command.Options.Add(tokens);
        device.AddKindTo(command);
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
        var where = device.Bind(parsed);
        var settings = where.Complete(plan.Bind(parsed));
        var by = policy.Bind(parsed, settings.Hardware, where.Kind);
        using var source = ModelSource.Open(settings.ModelPath);
        Notices.Tell([.. source.Notes, .. source.NotesOf(settings.Seqlen)]);
        var budgets = Dataflow.Budgets.Choose(settings) with
        {
            HostIsThisMachines = settings is { Host: null, Hardware.Kind: HardwareKind.Gpu },
        };
        int? rows = Rows(parsed.GetValue(text), parsed.GetValue(tokens), settings.Seqlen, source);
        return (new PlanQuestion(settings, source.Model, budgets.Memory, by, rows), budgets);
    }

    /// <summary>Rows of the data, as training counts them; a model folder's own tokens count where they are of this length.</summary>
    private static int? Rows(string? textPath, string? tokensPath, int seqlen, ModelSource source)
    {
        if (textPath is not null && tokensPath is not null)
        {
            throw new UserErrorException("--data and --tokens were both given; leave one out");
        }

        bool named = textPath is not null || tokensPath is not null;
        try
        {
            if (named || source.Tokens is not null)
            {
                using var data = TrainingData.Open(textPath, tokensPath, seqlen, source);
                return data.Tokens.RowCount;
            }
        }
        catch (UserErrorException) when (!named)
        {
            // Its tokens are of another length: something else is to be trained on.
        }

        return null;
    }
}
