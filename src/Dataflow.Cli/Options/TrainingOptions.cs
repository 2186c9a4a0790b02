using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>What a user asked to have trained.</summary>
internal sealed record TrainingSettings(
    PlanSettings Plan, DeviceSettings Device, string? TextPath, string? TokensPath, int Steps, ulong Seed, AdamWSettings Optimizer, string? Export, bool Json)
{
    /// <summary>Who plans.</summary>
    public required PolicySettings Policy { get; init; }

    /// <summary>The most that the gradients' global norm may be; null leaves them alone.</summary>
    public float? ClipNorm => Plan.ClipNorm;

    /// <summary>Where to save the run, and every how many steps (0: at the end alone).</summary>
    public (string Folder, int Every)? Checkpoint { get; init; }

    /// <summary>Where a run was saved that is to go on.</summary>
    public string? Resume { get; init; }

    /// <summary>Where to write a trace of the measured steps.</summary>
    public string? Trace { get; init; }

    /// <summary>Where to write the last measured step as a page, below its prediction.</summary>
    public string? Page { get; init; }

    /// <summary>Which steps to measure for a trace or a page; null is the program's choice.</summary>
    public int[]? TracedSteps { get; init; }

    /// <summary>The first and the last step that an attached CUDA profiler records; null leaves that to the profiler.</summary>
    public (int First, int Last)? Profiled { get; init; }

    /// <summary>What to measure the loss on besides, and every how many steps.</summary>
    public (string Path, int Every)? Validation { get; init; }
}

/// <summary>The options of training, apart from those of the plan.</summary>
internal sealed class TrainingOptions(int defaultSteps)
{
    private static readonly AdamWSettings Default = AdamWSettings.Default;
    private readonly Option<string?> text = Values.Option<string?>("--data", "FILE", "a UTF-8 text to train on, its bytes being the tokens", Values.FilePath);
    private readonly Option<string?> tokens = Values.Option<string?>("--tokens", "FILE", "raw 32-bit token ids to train on, in rows of seqlen + 1", Values.FilePath);
    private readonly Option<int?> steps = Values.Option("--steps", "N", $"optimizer steps [default: {defaultSteps}]", Values.OptionalCount(1, int.MaxValue));
    private readonly Option<ulong> seed = Values.Option("--seed", "N", "seed of initial weights and of the order of rows [default: 0]", Values.Seed);
    private readonly Option<float?> learningRate = Real("--lr", "learning rate", Default.LearningRate, 0, 1e3, true);
    private readonly Option<float?> beta1 = Real("--beta1", "decay of the first moment", Default.Beta1, 0, 1, true);
    private readonly Option<float?> beta2 = Real("--beta2", "decay of the second moment", Default.Beta2, 0, 1, true);
    private readonly Option<float?> epsilon = Real("--eps", "added to the root of the second moment", Default.Epsilon, 0, 1, false);
    private readonly Option<float?> weightDecay = Real("--weight-decay", "decoupled weight decay", Default.WeightDecay, 0, 1e3, true);
    private readonly Option<string?> export = Values.Option<string?>("--export", "DIR", "write the trained weights there: model.safetensors and config.json", Values.FilePath);
    private readonly Option<string?> validation = Values.Option<string?>("--validation", "FILE", "a text or token file to measure the loss on, too", Values.FilePath);
    private readonly Option<int?> validateEvery = Values.Option("--validate-every", "N", "steps between two validations [default: 10]", Values.OptionalCount(1, int.MaxValue));
    private readonly Option<string?> checkpoint = Values.Option<string?>("--checkpoint", "DIR", "save the whole run there, at the end and when interrupted", Values.FilePath);
    private readonly Option<int?> checkpointEvery = Values.Option("--checkpoint-every", "N", "and every N steps", Values.OptionalCount(1, int.MaxValue));
    private readonly Option<string?> resume = Values.Option<string?>("--resume", "DIR", "go on from the newest checkpoint there, to the same bits as without the break", Values.FilePath);
    private readonly Option<string?> trace = Values.Option<string?>("--trace", "FILE", "measure some steps op by op and write them there, for https://ui.perfetto.dev or chrome://tracing", Values.FilePath);
    private readonly Option<string?> page = Values.Option<string?>("--page", "FILE", "write the last of these steps there, below its prediction, as a page for a browser", Values.FilePath);
    private readonly Option<int[]?> traceSteps = Values.Option<int[]?>("--trace-steps", "N,N", "which steps --trace and --page measure [default: the second and the third]", t => Values.Steps(t));
    private readonly Option<int[]?> profile = Values.Option<int[]?>("--profile-steps", "FIRST,LAST", "let an attached CUDA profiler record these steps alone (profiling/nsys.sh)", t => Values.Steps(t));
    private readonly Option<bool> json = Values.Flag("--json", "print one JSON object a line: the plan, each step, a summary");

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        Option[] all = [text, tokens, steps, seed, learningRate, beta1, beta2, epsilon, weightDecay, validation, validateEvery, checkpoint, checkpointEvery, resume, export, trace, page, traceSteps, profile, json];
        foreach (var option in all)
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What was given.</summary>
    /// <exception cref="UserErrorException">Options contradict each other.</exception>
    public TrainingSettings Bind(ParseResult parsed, PlanSettings plan, PolicyOptions policy, DeviceSettings device)
    {
        plan = device.Complete(plan);
        var (textPath, tokensPath) = (parsed.GetValue(text), parsed.GetValue(tokens));
        if (textPath is not null && tokensPath is not null)
        {
            throw new UserErrorException("--data and --tokens were both given; leave one out");
        }

        var optimizer = new AdamWSettings(
            parsed.GetValue(learningRate) ?? Default.LearningRate, parsed.GetValue(beta1) ?? Default.Beta1, parsed.GetValue(beta2) ?? Default.Beta2,
            parsed.GetValue(epsilon) ?? Default.Epsilon, parsed.GetValue(weightDecay) ?? Default.WeightDecay);
        return new TrainingSettings(
            plan, device, textPath, tokensPath, parsed.GetValue(steps) ?? defaultSteps, parsed.GetValue(seed), optimizer, parsed.GetValue(export), parsed.GetValue(json))
        {
            Policy = policy.Bind(parsed, plan.Hardware, device.Kind),
            Checkpoint = parsed.GetValue(checkpoint) is { } folder ? (folder, parsed.GetValue(checkpointEvery) ?? 0) : null,
            Resume = parsed.GetValue(resume),
            Profiled = parsed.GetValue(profile) switch
            {
                null or { Length: 0 } => null,
                [var first, var last] when first <= last => device.Kind == DeviceKind.Cpu ? throw new UserErrorException("--profile-steps is for a CUDA profiler; give --device cuda") : (first, last),
                _ => throw new UserErrorException("--profile-steps takes the first and the last step, as in --profile-steps 3,5"),
            },
            Trace = parsed.GetValue(trace),
            Page = parsed.GetValue(page),
            TracedSteps = parsed.GetValue(traceSteps),
            Validation = parsed.GetValue(validation) is { } path ? (path, parsed.GetValue(validateEvery) ?? 10) : null,
        };
    }

    private static Option<float?> Real(string name, string description, float byDefault, double least, double below, bool leastAllowed)
    {
        var parse = Values.Real(least, below, leastAllowed);
        return Values.Option<float?>(name, "X", $"{description} [default: {byDefault:0.##########}]", t => parse(t));
    }
}
