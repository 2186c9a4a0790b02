using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Which loss of pairs is trained with, and its numbers.</summary>
/// <param name="Kind">The formula.</param>
public sealed record PreferenceLoss(PreferenceKind Kind)
{
    private static readonly ImmutableArray<(PreferenceKind Kind, string Name)> s_names =
    [
        (PreferenceKind.Sigmoid, "sigmoid"),
        (PreferenceKind.SigmoidSmoothed, "sigmoid-smoothed"),
        (PreferenceKind.Robust, "robust"),
        (PreferenceKind.Ipo, "ipo"),
        (PreferenceKind.IpoSums, "ipo-sums"),
        (PreferenceKind.Hinge, "hinge"),
        (PreferenceKind.SigmoidNorm, "sigmoid-norm"),
    ];

    /// <summary>How strongly rewards follow the policy: a reward is beta times the log-ratio of policy and reference. Above 0.</summary>
    public double Beta { get; init; } = 0.1;

    /// <summary>e, from 0 to below 0.5; of <see cref="PreferenceKind.SigmoidSmoothed"/> and <see cref="PreferenceKind.Robust"/>.</summary>
    public double Smoothing { get; init; }

    /// <summary>
    /// What the mean of -log p over all tokens of chosen answers of a step is multiplied by before it is added to the loss; 0: it is not.
    /// </summary>
    public double NllShare { get; init; }

    /// <summary>All names, as they are written.</summary>
    public static IEnumerable<string> Names => s_names.Select(n => n.Name);

    /// <summary>As it is written.</summary>
    public string Name => s_names.First(n => n.Kind == Kind).Name;

    /// <summary>The kind of that name; null: there is none.</summary>
    public static PreferenceKind? KindNamed(string name) =>
        s_names.Where(n => n.Name == name).Select(n => (PreferenceKind?)n.Kind).FirstOrDefault();

    /// <summary>What is wrong with the numbers, in a sentence; null: nothing.</summary>
    public string? Fault =>
        !(Beta > 0) || !double.IsFinite(Beta) ? FormattableString.Invariant($"beta is {Beta}; give a number above 0")
        : !(Smoothing >= 0 && Smoothing < 0.5)
            ? FormattableString.Invariant($"the smoothing is {Smoothing}; give a number from 0 to below 0.5")
        : Smoothing > 0 && Kind is not (PreferenceKind.SigmoidSmoothed or PreferenceKind.Robust)
            ? FormattableString.Invariant($"the loss {Name} has no smoothing, and it is {Smoothing}; take sigmoid-smoothed or robust")
        : !(NllShare >= 0) || !double.IsFinite(NllShare)
            ? FormattableString.Invariant($"the share of the negative log-likelihood is {NllShare}; give a number of at least 0")
        : null;

    /// <summary>Whether log-ratios are means over tokens.</summary>
    internal bool IsPerToken => Kind is PreferenceKind.Ipo or PreferenceKind.SigmoidNorm;

    /// <summary>As <see cref="PairTable"/> has it.</summary>
    internal int Form => Kind is PreferenceKind.Ipo or PreferenceKind.IpoSums ? 1 : Kind == PreferenceKind.Hinge ? 2 : 0;

    /// <summary>The factors of -log s(beta z) and of -log s(-beta z).</summary>
    internal (double Of, double OfOpposite) Logistic =>
        Kind switch
        {
            PreferenceKind.SigmoidSmoothed => (1 - Smoothing, Smoothing),
            PreferenceKind.Robust => ((1 - Smoothing) / (1 - (2 * Smoothing)), -Smoothing / (1 - (2 * Smoothing))),
            _ => (1, 0),
        };

    /// <summary>The loss of a pair by the difference of its log-ratios, sums or means as the kind has them.</summary>
    public double Of(double difference)
    {
        double x = Beta * difference;
        var (of, opposite) = Logistic;
        return Form switch
        {
            1 => (difference - (1 / (2 * Beta))) * (difference - (1 / (2 * Beta))),
            2 => Math.Max(0, 1 - x),
            _ => (of * Softplus(-x)) + (opposite * Softplus(x)),
        };
    }

    // -log s(-x)
    private static double Softplus(double x) => x > 0 ? x + Math.Log(1 + Math.Exp(-x)) : Math.Log(1 + Math.Exp(x));
}
