namespace Dataflow.Training;

/// <summary>
/// A loss of pairs of answers to one prompt, a chosen one and a rejected one. With D the difference of their log-ratios of policy and
/// reference, summed over tokens, d the difference of the means over tokens, s the logistic function and e the smoothing:
/// </summary>
public enum PreferenceKind
{
    /// <summary>-log s(beta D) (Rafailov et al., 2023).</summary>
    Sigmoid,

    /// <summary>-(1 - e) log s(beta D) - e log s(-beta D): the conservative one, as if labels were wrong with probability e.</summary>
    SigmoidSmoothed,

    /// <summary>(-(1 - e) log s(beta D) + e log s(-beta D)) / (1 - 2 e): unbiased under such labels (Chowdhury et al., 2024).</summary>
    Robust,

    /// <summary>(d - 1 / (2 beta))^2 (Azar et al., 2023), over means.</summary>
    Ipo,

    /// <summary>(D - 1 / (2 beta))^2.</summary>
    IpoSums,

    /// <summary>max(0, 1 - beta D) (Zhao et al., 2023).</summary>
    Hinge,

    /// <summary>-log s(beta d): long answers count no more than short ones.</summary>
    SigmoidNorm,
}
