using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Our schedules. Over a warm-up of W of N steps (of 1 where there is none), counted from 0, step i has (i + 1) / W of the rate; what
/// follows goes by p = (i + 1 - W) / (N - W), which is 1 in the last step. So no step has a rate of 0, and the last has the floor, where
/// any follows the warm-up.
/// </summary>
internal static class OwnSchedules
{
    private const double DefaultFloor = 0.1;
    private static readonly ScheduleOption s_floor = new("floor", "share of the rate that the last step has [0.1]");

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ScheduleKind> All { get; } =
    [
        new(LearningRateSchedule.Constant, "stays after the warm-up", [], (span, _) => AfterWarmUp(span, _ => 1)),
        new("linear", "falls in a straight line", [s_floor], (span, values) => Falling(span, values, p => 1 - p)),
        new(
            "cosine",
            "falls as half a wave of a cosine",
            [s_floor, new ScheduleOption("restarts", "how often it begins again at the whole rate [0]")],
            Cosine
        ),
        new(
            "polynomial",
            "falls as a power of the steps that are left",
            [s_floor, new ScheduleOption("power", "the power [2]")],
            (span, values) =>
            {
                double power = values.Positive("power", 2);
                return Falling(span, values, p => Math.Pow(1 - p, power));
            }
        ),
        new(
            "inverse-sqrt",
            "falls as the root of the steps, whatever their number",
            [
                new ScheduleOption("floor", "share of the rate below which it does not fall [0]"),
                new ScheduleOption("timescale", "steps after which it has fallen to 0.71 [the warm-up; without one 10000]"),
            ],
            InverseRoot
        ),
        new(
            "wsd",
            "stays after the warm-up, then falls in the last steps",
            [
                s_floor,
                new ScheduleOption("decay", "how it falls: linear, cosine or 1-sqrt [1-sqrt]", ["linear", "cosine", "1-sqrt"]),
                new ScheduleOption("decay-steps", "the last steps, or their share of all [0.2]"),
            ],
            StableThenDecay
        ),
    ];

    private static Func<long, double> AfterWarmUp(ScheduleSpan span, Func<long, double> after)
    {
        if (span.WarmUp > span.Steps)
        {
            throw new UserErrorException($"the warm-up has {span.WarmUp:N0} steps and the run {span.Steps:N0}; give a shorter warm-up");
        }

        long rising = Rising(span);
        return i => i < rising ? (i + 1.0) / rising : after(i + 1 - rising);
    }

    // The last of these steps is the first one with the whole rate.
    private static long Rising(ScheduleSpan span) => Math.Max(1, span.WarmUp);

    // From 1 to the floor as `shape` goes from 1 to 0, its argument being above 0 and 1 in the last step.
    private static Func<long, double> Falling(ScheduleSpan span, ScheduleValues values, Func<double, double> shape)
    {
        double floor = values.Number("floor", DefaultFloor, 0, 1);
        long steps = span.Steps - Rising(span);
        return AfterWarmUp(span, k => k >= steps ? floor : floor + ((1 - floor) * shape((double)k / steps)));
    }

    private static Func<long, double> Cosine(ScheduleSpan span, ScheduleValues values)
    {
        double floor = values.Number("floor", DefaultFloor, 0, 1);
        long cycles = values.Count("restarts", 0) + 1, steps = span.Steps - Rising(span);
        if (cycles > Math.Max(1, steps))
        {
            throw new UserErrorException(
                $"{steps:N0} steps after the warm-up cannot begin again {cycles - 1:N0} times; give fewer restarts"
            );
        }

        return AfterWarmUp(
            span,
            k =>
            {
                if (k >= steps)
                {
                    return floor;
                }

                // In whole numbers: each cycle ends with its floor, whatever its length.
                double p = (double)((((Int128)k * cycles) - 1) % steps + 1) / steps;
                return floor + ((1 - floor) * Wave(p));
            }
        );
    }

    private static Func<long, double> InverseRoot(ScheduleSpan span, ScheduleValues values)
    {
        double floor = values.Number("floor", 0, 0, 1), timescale = values.Positive("timescale", span.WarmUp > 0 ? span.WarmUp : 10_000);
        return AfterWarmUp(span, k => Math.Max(floor, Math.Sqrt(timescale / (timescale + k))));
    }

    private static Func<long, double> StableThenDecay(ScheduleSpan span, ScheduleValues values)
    {
        double floor = values.Number("floor", DefaultFloor, 0, 1), asked = values.Positive("decay-steps", 0.2);
        long steps = span.Steps - Rising(span), decay = asked < 1 ? (long)Math.Ceiling(Math.Round(span.Steps * asked, 9)) : (long)asked;
        if (decay > steps && values.Has("decay-steps"))
        {
            throw new UserErrorException(
                $"the warm-up has {span.WarmUp:N0} steps and the decay {decay:N0}, of {span.Steps:N0} in all; give fewer of one"
            );
        }

        decay = Math.Min(decay, steps);
        Func<double, double> shape = values.Word("decay", "1-sqrt") switch
        {
            "linear" => x => 1 - x,
            "cosine" => Wave,
            _ => x => 1 - Math.Sqrt(x),
        };
        return AfterWarmUp(
            span,
            k =>
                k >= steps ? floor
                : k <= steps - decay ? 1
                : floor + ((1 - floor) * shape((double)(k - (steps - decay)) / decay))
        );
    }

    private static double Wave(double p) => (1 + Math.Cos(Math.PI * p)) / 2;
}
