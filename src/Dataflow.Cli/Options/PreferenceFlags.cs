using System.CommandLine;
using System.Globalization;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>The loss of pairs of answers.</summary>
internal sealed class PreferenceFlags
{
    /// <summary>The name, without dashes, of the option that asks for pairs.</summary>
    public const string Loss = "preference-loss";

    private static readonly PreferenceLoss ByDefault = new(PreferenceKind.Sigmoid);
    private readonly Option<PreferenceKind?> loss = Declare.Option<PreferenceKind?>(
        "--" + Loss,
        "NAME",
        "train on pairs of a chosen and a rejected answer (prompt, chosen, rejected) by this loss: "
            + string.Join(", ", PreferenceLoss.Names),
        t => PreferenceValues.Kind(t)
    );
    private readonly Option<double?> beta = Declare.Option<double?>(
        "--preference-beta",
        "BETA",
        "what the difference of log-ratios of model and reference is multiplied by [default: "
            + $"{ByDefault.Beta.ToString(CultureInfo.InvariantCulture)}]",
        t => PreferenceValues.Number(t)
    );
    private readonly Option<double?> smoothing = Declare.Option<double?>(
        "--preference-smoothing",
        "SHARE",
        "of sigmoid-smoothed and robust: how many of the pairs are the wrong way round, as 0.1 [default: 0]",
        t => PreferenceValues.Number(t)
    );
    private readonly Option<double?> share = Declare.Option<double?>(
        "--nll-share",
        "SHARE",
        "add so much of the mean of -log p over the tokens of chosen answers [default: 0]",
        t => PreferenceValues.Number(t)
    );
    private readonly Option<string?> reference = Declare.Option<string?>(
        "--reference",
        "MODEL",
        "what the model is compared with: another model of its sizes [default: the weights that training begins with; of an adapter its "
            + "base]",
        t => t
    );

    /// <summary>All of them, in the order in which people should read them.</summary>
    public IEnumerable<Option> All => [loss, beta, smoothing, share, reference];

    /// <summary>The loss; null: that of the tokens.</summary>
    public PreferenceLoss? Bind(ParseResult parsed) =>
        parsed.GetValue(loss) is { } kind
            ? new PreferenceLoss(kind)
            {
                Beta = parsed.GetValue(beta) ?? ByDefault.Beta,
                Smoothing = parsed.GetValue(smoothing) ?? 0,
                NllShare = parsed.GetValue(share) ?? 0,
            }
            : null;

    /// <summary>The model that pairs are compared by; null: that of the run.</summary>
    public string? ReferenceOf(ParseResult parsed) => parsed.GetValue(reference);

    /// <summary>Refuses what does nothing without a loss.</summary>
    /// <exception cref="Model.UserErrorException">It was given.</exception>
    public void CheckNeeds(ParseResult parsed)
    {
        Option[] others = [beta, smoothing, share, reference];
        foreach (var option in others)
        {
            parsed.Need(option, loss);
        }
    }
}
