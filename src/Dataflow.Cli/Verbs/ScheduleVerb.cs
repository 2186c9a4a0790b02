using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow schedule: the learning rate of every step.</summary>
internal static class ScheduleVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow schedule cosine --steps 1000 --warmup 0.03 --lr 3e-4",
        "dataflow schedule wsd --steps 1000 --warmup 50 --lr 3e-4 --schedule-options decay=1-sqrt,decay-steps=0.2,floor=0",
        "dataflow schedule transformers:linear --steps 1000 --warmup 100 --lr 3e-4 --json",
    ];

    private const int MostSteps = 10_000_000;

    // What a longer run would go on with.
    private const int Beyond = 3;

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command("schedule", "Says and draws the learning rate of every step of a run, as `train --schedule` takes it.");
        var name = Declare.Argument<string?>("name", "a schedule; without one all are listed", t => LearningRateSchedule.KindNamed(t).Name);
        name.Arity = ArgumentArity.ZeroOrOne;
        var steps = Declare.Option("--steps", "N", "of the run", Values.OptionalCount(1, MostSteps));
        var rate = Declare.Option<double?>("--lr", "X", "learning rate [default: 0.0003]", t => RateOf(t));
        var (warmUp, options) = (ScheduleFlags.WarmUpOption(), ScheduleFlags.OptionsOption());
        var json = Declare.Flag("--json", "print one JSON object: the rates, lr, and in lr_beyond those of the three steps after the last");
        command.Arguments.Add(name);
        Option[] all = [steps, warmUp, rate, options, json];
        foreach (var option in all)
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            var kind = parsed.GetValue(name) is { } named ? LearningRateSchedule.KindNamed(named) : null;
            if (kind is null || !all.Any(parsed.WasGiven))
            {
                List(kind is null ? LearningRateSchedule.Kinds : [kind]);
                return kind is null && all.FirstOrDefault(parsed.WasGiven) is { } vain
                    ? throw new UserErrorException($"{vain.Name} does nothing without a schedule; name one of these")
                    : (int)ExitCode.Ok;
            }

            int count = parsed.GetValue(steps) ?? throw new UserErrorException("--steps is missing: say how many steps the run has");
            var rising = parsed.GetValue(warmUp) ?? default;
            if (rising.InTokens)
            {
                throw new UserErrorException("a warm-up in tokens depends on the batch; give steps or a share here");
            }

            var span = new ScheduleSpan(parsed.GetValue(rate) ?? DefaultRate, count, rising.StepsOf(count, 1));
            var schedule = LearningRateSchedule.Of(kind.Name, parsed.GetValue(options), span);
            if (parsed.GetValue(json))
            {
                var rates = new JsonObject { ["lr"] = Rates(schedule, 0, count), ["lr_beyond"] = Rates(schedule, count, Beyond) };
                Console.Out.WriteLine(rates.ToJsonString());
            }
            else
            {
                RateChart.Write(Console.Out, schedule);
            }

            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static double DefaultRate => (double)(decimal)Optimizer.AdamW.Defaults.LearningRate;

    private static double RateOf(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value is > 0 and < 1e3
            ? value
            : throw new UserErrorException($"'{text}' is no learning rate; give a number above 0 and below 1000");

    private static JsonArray Rates(LearningRateSchedule schedule, long from, int count) =>
        [.. Enumerable.Range(0, count).Select(i => JsonValue.Create(schedule.At(from + i)))];

    private static void List(IReadOnlyList<ScheduleKind> kinds)
    {
        int width = kinds.Max(k => k.Name.Length);
        foreach (var kind in kinds)
        {
            Console.Out.WriteLine($"{kind.Name.PadRight(width)}  {kind.About}");
            foreach (var option in kind.Options)
            {
                Console.Out.WriteLine($"{new string(' ', width)}    {option.Name}: {option.About}");
            }
        }
    }
}
