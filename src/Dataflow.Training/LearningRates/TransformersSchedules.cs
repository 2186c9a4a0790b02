using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The rates of Hugging Face transformers' schedulers of these names (its optimization.py, 5.24), with its names of options, in its order
/// of operations. Its step 0 has the rate 0 where there is a warm-up. i is the step, W the warm-up, N the steps.
/// </summary>
internal static class TransformersSchedules
{
    private const string Prefix = "transformers:";
    private static readonly ScheduleOption
        s_cycles = new("num_cycles", "waves of the cosine [0.5]"),
        s_least = new("min_lr", "the last rate"),
        s_leastShare = new("min_lr_rate", "or its share of the rate");

    private static readonly string[] s_shapes = ["linear", "cosine", "1-sqrt"];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ScheduleKind> All { get; } =
    [
        Kind(LearningRateSchedule.Constant, "stays; without warm-up, whatever is given", [], (_, _) => _ => 1),
        Kind("constant_with_warmup", "stays after the warm-up", [], (span, _) => After(span, _ => 1)),
        Kind(
            "linear",
            "falls in a straight line to 0",
            [],
            (span, _) => After(span, i => Math.Max(0, (double)(span.Steps - i) / Math.Max(1, span.Steps - span.WarmUp)))
        ),
        Kind(
            "cosine",
            "falls as a cosine to 0",
            [s_cycles],
            (span, values) =>
            {
                double cycles = values.Number("num_cycles", 0.5);
                return After(span, i => Math.Max(0, Wave(cycles, Progress(span, i))));
            }
        ),
        Kind(
            "cosine_with_restarts",
            "falls as a cosine to 0, again and again",
            [new ScheduleOption("num_cycles", "how often [1]")],
            Restarts
        ),
        Kind(
            "cosine_with_min_lr",
            "falls as a cosine",
            [s_cycles, s_least, s_leastShare],
            (span, values) =>
            {
                double cycles = values.Number("num_cycles", 0.5), least = Least(span, values);
                return After(span, i => Math.Max(0, (Wave(cycles, Progress(span, i)) * (1 - least)) + least));
            }
        ),
        Kind(
            "cosine_warmup_with_min_lr",
            "falls as a cosine, with a warm-up that begins above 0",
            [
                s_cycles,
                s_least,
                s_leastShare,
                new ScheduleOption("warmup_lr_rate", "share of the rate that the warm-up begins with [1 / W]"),
            ],
            WarmUpAboveZero
        ),
        Kind(
            "polynomial",
            "falls as a power of the steps that are left",
            [new ScheduleOption("lr_end", "the last rate [1e-7]"), new ScheduleOption("power", "the power [1]")],
            Polynomial
        ),
        Kind(
            "inverse_sqrt",
            "falls as the root of the steps",
            [new ScheduleOption("timescale", "in steps [the warm-up; without one 10000]")],
            (span, values) =>
            {
                double timescale = values.Positive("timescale", span.WarmUp > 0 ? span.WarmUp : 10_000), shift = timescale - span.WarmUp;
                return After(span, i => 1 / Math.Sqrt((i + shift) / timescale));
            }
        ),
        Kind(
            "warmup_stable_decay",
            "stays after the warm-up, then falls",
            [
                new ScheduleOption("num_decay_steps", "in which it falls"),
                new ScheduleOption("num_stable_steps", "in which it stays [what is left]"),
                new ScheduleOption("warmup_type", "linear, cosine or 1-sqrt [linear]", s_shapes),
                new ScheduleOption("decay_type", "linear, cosine or 1-sqrt [cosine]", s_shapes),
                new ScheduleOption("min_lr_ratio", "share of the rate that it begins and ends with [0]"),
                s_cycles,
            ],
            WarmUpStableDecay
        ),
    ];

    private static ScheduleKind Kind(
        string name,
        string about,
        IReadOnlyList<ScheduleOption> options,
        Func<ScheduleSpan, ScheduleValues, Func<long, double>> factor
    ) => new(Prefix + name, about, options, factor);

    private static Func<long, double> After(ScheduleSpan span, Func<long, double> after) =>
        i => i < span.WarmUp ? (double)i / Math.Max(1, span.WarmUp) : after(i);

    private static double Progress(ScheduleSpan span, long i) => (double)(i - span.WarmUp) / Math.Max(1, span.Steps - span.WarmUp);

    private static double Wave(double cycles, double progress) => 0.5 * (1 + Math.Cos(Math.PI * cycles * 2 * progress));

    private static double Least(ScheduleSpan span, ScheduleValues values)
    {
        if (values.Has("min_lr") == values.Has("min_lr_rate"))
        {
            throw new UserErrorException("the schedule takes one of min_lr=... and min_lr_rate=...");
        }

        return values.Has("min_lr") ? values.Number("min_lr", 0) / span.Rate : values.Number("min_lr_rate", 0);
    }

    private static Func<long, double> Restarts(ScheduleSpan span, ScheduleValues values)
    {
        double cycles = values.Number("num_cycles", 1);
        return After(
            span,
            i =>
            {
                double progress = Progress(span, i);
                return progress >= 1 ? 0 : Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * (cycles * progress % 1))));
            }
        );
    }

    private static Func<long, double> WarmUpAboveZero(ScheduleSpan span, ScheduleValues values)
    {
        double cycles = values.Number("num_cycles", 0.5), least = Least(span, values), begin = values.Number("warmup_lr_rate", 0);
        bool begins = values.Has("warmup_lr_rate");
        return i =>
        {
            if (i < span.WarmUp)
            {
                return begins ? begin + ((1 - begin) * i / Math.Max(1, span.WarmUp - 1)) : (i + 1.0) / Math.Max(1, span.WarmUp);
            }

            double progress = (i - span.WarmUp + 1.0) / Math.Max(1, span.Steps - span.WarmUp);
            return Math.Max(0, (Wave(cycles, progress) * (1 - least)) + least);
        };
    }

    private static Func<long, double> Polynomial(ScheduleSpan span, ScheduleValues values)
    {
        double end = values.Number("lr_end", 1e-7), power = values.Number("power", 1), range = span.Rate - end;
        if (range <= 0)
        {
            throw new UserErrorException($"lr_end={end} is not below the rate of {span.Rate}; give a smaller one");
        }

        if (span.Steps == span.WarmUp)
        {
            throw new UserErrorException(
                $"with a warm-up of all {span.Steps:N0} steps transformers' polynomial schedule divides by zero; give a shorter warm-up"
            );
        }

        return After(
            span,
            i =>
            {
                double left = 1 - ((double)(i - span.WarmUp) / (span.Steps - span.WarmUp));
                return i > span.Steps ? end / span.Rate : ((range * Math.Pow(left, power)) + end) / span.Rate;
            }
        );
    }

    private static Func<long, double> WarmUpStableDecay(ScheduleSpan span, ScheduleValues values)
    {
        if (!values.Has("num_decay_steps"))
        {
            throw new UserErrorException("transformers:warmup_stable_decay takes num_decay_steps=...");
        }

        long decay = values.Count("num_decay_steps", 0), stable = span.Steps - span.WarmUp - decay;
        long falls = span.WarmUp + (values.Has("num_stable_steps") ? values.Count("num_stable_steps", 0) : stable);
        double least = values.Number("min_lr_ratio", 0), cycles = values.Number("num_cycles", 0.5);
        string rising = values.Word("warmup_type", "linear"), falling = values.Word("decay_type", "cosine");
        return i =>
        {
            if (i < span.WarmUp)
            {
                double progress = (double)i / Math.Max(1, span.WarmUp);
                return Math.Max(0, (Rise(rising, progress) * (1 - least)) + least);
            }

            if (i < falls)
            {
                return 1;
            }

            return i < falls + decay
                ? Math.Max(0, (Fall(falling, cycles, (double)(i - falls) / Math.Max(1, decay)) * (1 - least)) + least)
                : least;
        };
    }

    private static double Rise(string shape, double progress) =>
        shape switch
        {
            "linear" => progress,
            "cosine" => 0.5 * (1 - Math.Cos(Math.PI * progress)),
            _ => 1 - Math.Sqrt(1 - progress),
        };

    private static double Fall(string shape, double cycles, double progress) =>
        shape switch
        {
            "linear" => 1 - progress,
            "cosine" => Wave(cycles, progress),
            _ => 1 - Math.Sqrt(progress),
        };
}
