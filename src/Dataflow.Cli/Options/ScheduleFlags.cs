using System.CommandLine;
using System.CommandLine.Parsing;
using Dataflow.Model;
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
    private readonly Option<RateRange?> find = new("--lr-find")
    {
        HelpName = "[FROM..TO]",
        Description = "find a learning rate in place of training with one: over --steps the rate rises, and how the loss answers gives a "
            + $"suggestion; --page FILE draws it, and no weights are kept but those of --export [default: {RateRange.Default}]",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = Declare.Parser<RateRange?>(
            "--lr-find",
            text => text is null ? RateRange.Default : RateRange.Parse(text)
        ),
    };

    /// <summary>All of them, in the order in which people should read them.</summary>
    public IEnumerable<Option> All => [name, warmUp, options, find];

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

    /// <summary>The rates of a range test; null in a run that trains.</summary>
    public RateRange? RangeOf(ParseResult parsed) => parsed.GetValue(find);

    /// <summary>What the range test took for its range, where an argument is missing; nothing if it was given none.</summary>
    public string TakenBy(CommandResult line) =>
        line.GetResult(find) is { Tokens: [.., var last] }
            ? $" ({find.Name} took {last.Value} for its range: give it behind the model)"
            : "";

    /// <summary>Refuses what cannot act.</summary>
    /// <exception cref="UserErrorException">It was given.</exception>
    public void CheckNeeds(ParseResult parsed) => parsed.Need(options, name);

    /// <summary>Refuses what has no sense beside a range test.</summary>
    /// <exception cref="UserErrorException">It was given.</exception>
    public void CheckRange(ParseResult parsed)
    {
        if (!parsed.WasGiven(find))
        {
            return;
        }

        string[] vain = ["--lr", name.Name, warmUp.Name, options.Name, "--resume", "--validate-every", "--trace-steps"];
        if (parsed.CommandResult.Command.Options.FirstOrDefault(o => vain.Contains(o.Name) && parsed.WasGiven(o)) is { } given)
        {
            throw new UserErrorException(
                given.Name == "--resume"
                    ? $"{find.Name} begins with weights, not with a saved run; name a checkpoint's folder as the model"
                    : $"{find.Name} sets the learning rate of every step itself; leave {given.Name} out"
            );
        }
    }
}
