namespace Dataflow.Training;

/// <summary>A step of a range test.</summary>
/// <param name="Rate">The learning rate of its update.</param>
/// <param name="Loss">Of its rows before that update, in nats: what the rates below led to.</param>
/// <param name="Smoothed">The mean of the losses around it, weighted by a bell curve over the steps, which shifts nothing.</param>
public readonly record struct RatePoint(double Rate, double Loss, double Smoothed);

/// <summary>Why a range test ended.</summary>
public enum RangeTestEnd
{
    /// <summary>It went through the whole range.</summary>
    Whole,

    /// <summary>The losses had risen far above what they were.</summary>
    Exploded,

    /// <summary>A loss was no finite number.</summary>
    NotFinite,

    /// <summary>It was asked to end.</summary>
    Interrupted,
}

/// <summary>What a range test found.</summary>
/// <param name="Range">What it was to go through.</param>
/// <param name="Steps">Steps that the whole range has.</param>
/// <param name="Points">The steps that were taken and have a finite loss, by rising rate.</param>
/// <param name="End">Why there are no more.</param>
/// <param name="Suggestion">A learning rate to train with, of two digits; null where the losses show none.</param>
/// <param name="Reason">By what rule it was found, in a sentence; or why there is none.</param>
public sealed record RangeTestResult(
    RateRange Range,
    int Steps,
    IReadOnlyList<RatePoint> Points,
    RangeTestEnd End,
    double? Suggestion,
    string Reason
)
{
    /// <summary>The end in a sentence.</summary>
    public string Ending => End switch
    {
        RangeTestEnd.Whole => $"all {Steps:N0} steps were taken",
        RangeTestEnd.Exploded => $"ended after step {Points.Count:N0} of {Steps:N0}, as the loss exploded",
        RangeTestEnd.NotFinite => $"ended after step {Points.Count:N0} of {Steps:N0}, as the next loss was no finite number",
        _ => $"interrupted after step {Points.Count:N0} of {Steps:N0}",
    };
}
