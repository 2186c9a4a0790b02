using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>What a schedule spans.</summary>
/// <param name="Rate">The learning rate that it makes smaller ones of.</param>
/// <param name="Steps">Of the whole run.</param>
/// <param name="WarmUp">The first steps, in which the rate rises.</param>
public readonly record struct ScheduleSpan(double Rate, long Steps, long WarmUp);

/// <summary>The learning rate of each step of a run: a function of the step's number, so that nothing of it need be saved.</summary>
public sealed class LearningRateSchedule
{
    /// <summary>The rate stays as it is after the warm-up.</summary>
    public const string Constant = "constant";

    /// <summary>The rate stays as it is from the first step on, whatever warm-up is asked for.</summary>
    public const string WithoutWarmUp = "transformers:constant";

    // Of the learning rate, as its option has it; and how many steps of a long run are looked at for it.
    private const double MostRate = 1e3;
    private const long MostChecked = 1_000_000;

    private readonly Func<long, double> factor;

    private LearningRateSchedule(string name, ScheduleSpan span, Func<long, double> factor) =>
        (Name, Span, this.factor) = (name, span, factor);

    /// <summary>All kinds: ours, then those that give another library's rates.</summary>
    public static IReadOnlyList<ScheduleKind> Kinds { get; } = [.. OwnSchedules.All, .. TransformersSchedules.All];

    /// <summary>Of its kind.</summary>
    public string Name { get; }

    /// <summary>What it spans.</summary>
    public ScheduleSpan Span { get; }

    /// <summary>A schedule.</summary>
    /// <param name="name">Of a kind.</param>
    /// <param name="options">"k=v,k=v": those of the kind; null for its defaults.</param>
    /// <param name="span">What it is to span.</param>
    /// <exception cref="UserErrorException">There is no such kind or option, or it cannot be with such a span.</exception>
    public static LearningRateSchedule Of(string name, string? options, ScheduleSpan span)
    {
        var kind = KindNamed(name);
        var schedule = new LearningRateSchedule(name, span, kind.Factor(span, new ScheduleValues(kind, options)));
        long stride = Math.Max(1, span.Steps / MostChecked);
        for (long step = 0; step < span.Steps; step += stride)
        {
            double rate = schedule.At(step);
            if (!(rate is >= 0 and < MostRate))
            {
                throw new UserErrorException(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"schedule {name} would have the rate {rate} in step {step + 1}; give other options, or another learning rate"
                    )
                );
            }
        }

        return schedule;
    }

    /// <summary>The rates of a range test, which rise in equal ratios.</summary>
    /// <param name="range">What they go through.</param>
    /// <param name="steps">In how many steps.</param>
    /// <exception cref="UserErrorException">There are none such, or too few steps.</exception>
    public static LearningRateSchedule Rising(RateRange range, long steps) =>
        steps >= RangeTest.FewestSteps
            ? new LearningRateSchedule(
                "range test",
                new ScheduleSpan(range.Checked().To, steps, 0),
                step => range.At(step, steps) / range.To
            )
            : throw new UserErrorException($"a range test has at least {RangeTest.FewestSteps} steps; give more than {steps}");

    /// <summary>A kind by its name.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static ScheduleKind KindNamed(string name) =>
        Kinds.FirstOrDefault(k => k.Name == name)
        ?? throw new UserErrorException(
            $"'{name}' is no schedule of this build; choose one of {string.Join(", ", Kinds.Select(k => k.Name))}"
        );

    /// <summary>The rate of a step, the first of which is 0; beyond the last, what a longer run would go on with.</summary>
    public double At(long step) => Span.Rate * factor(step);

    /// <summary>"cosine, warm-up of 10 steps: 3e-05 in the first step, 3e-05 in the last".</summary>
    public override string ToString()
    {
        string warmUp = Span.WarmUp switch
        {
            0 => "",
            1 => ", warm-up of 1 step",
            var steps => string.Create(CultureInfo.InvariantCulture, $", warm-up of {steps:N0} steps"),
        };
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Name}{warmUp}: {At(0):g3} in the first step, {At(Span.Steps - 1):g3} in the last"
        );
    }
}
