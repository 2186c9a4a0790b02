using System.CommandLine;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>How the learning rate goes over the steps.</summary>
internal sealed class ScheduleFlags
{
    private readonly Option<string?> name = Declare.Option<string?>(
        "--schedule",
        "NAME",
        $"how the learning rate goes: {string.Join(", ", LearningRateSchedule.Kinds.Select(k => k.Name).Where(n => !n.Contains(':')))} "
            + "or transformers:KIND for that library's rates; `dataflow schedule` says more and draws them "
            + $"[default: {LearningRateSchedule.Constant}]",
        t => LearningRateSchedule.KindNamed(t).Name
    );
    private readonly Option<WarmUp?> warmUp = WarmUpOption();
    private readonly Option<string?> options = OptionsOption();

    /// <summary>All of them, in the order in which people should read them.</summary>
    public IEnumerable<Option> All => [name, warmUp, options];

    /// <summary>How long the rate rises.</summary>
    public static Option<WarmUp?> WarmUpOption() =>
        Declare.Option<WarmUp?>(
            "--warmup",
            "N",
            "over what the learning rate rises first: 100 (steps), 0.03 (of all steps) or 2Mtok (two million tokens) [default: 0]",
            t => WarmUp.Parse(t)
        );

    /// <summary>What the schedule is told.</summary>
    public static Option<string?> OptionsOption() =>
        Declare.Option<string?>(
            "--schedule-options",
            "K=V,K=V",
            "what the schedule can be told, such as floor=0.05 or restarts=3; `dataflow schedule NAME` lists it",
            t => t
        );

    /// <summary>The schedule.</summary>
    public string Name(ParseResult parsed) => parsed.GetValue(name) ?? LearningRateSchedule.Constant;

    /// <summary>The warm-up.</summary>
    public WarmUp WarmUpOf(ParseResult parsed) => parsed.GetValue(warmUp) ?? default;

    /// <summary>The schedule's own options.</summary>
    public string? Options(ParseResult parsed) => parsed.GetValue(options) is { Length: > 0 } given ? given : null;

    /// <summary>Refuses what cannot act.</summary>
    /// <exception cref="Model.UserErrorException">It was given.</exception>
    public void CheckNeeds(ParseResult parsed) => parsed.Need(options, name);
}
