using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>What a user asked to have trained.</summary>
internal sealed record TrainingSettings(
    PlanSettings Plan,
    DeviceSettings Device,
    string? TextPath,
    string? TokensPath,
    int Steps,
    ulong Seed,
    AdamWSettings Optimizer,
    string? Export,
    bool Json
)
{
    /// <summary>Who plans.</summary>
    public required PolicySettings Policy { get; init; }

    /// <summary>The most that the gradients' global norm may be; null leaves them alone.</summary>
    public float? ClipNorm => Plan.ClipNorm;

    /// <summary>Where and when to save the run; null if it is not saved.</summary>
    public CheckpointSettings? Checkpoint { get; init; }

    /// <summary>Whether the export may replace a model.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Whether something of the run remains besides what it prints.</summary>
    public bool LeavesSomething => Checkpoint is not null || Export is not null || Trace is not null || Page is not null;

    /// <summary>The saved run that this one goes on with; null if it begins.</summary>
    public ResumedRun? Resumed { get; init; }

    /// <summary>Who plans, for what and within what, where that was given: by the options' names, as they take it.</summary>
    public required IReadOnlyList<(string Name, string Value)> Given { get; init; }

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

/// <summary>Where and when a run is saved.</summary>
/// <param name="Every">Steps between two checkpoints; 0: at the end alone.</param>
/// <param name="Keep">How many are kept, the newest.</param>
/// <param name="GraceSeconds">How long after a signal the program may still run.</param>
internal sealed record CheckpointSettings(string Folder, int Every, int Keep, int GraceSeconds);

/// <summary>The options of training, apart from those of the plan.</summary>
internal sealed class TrainingOptions(int defaultSteps)
{
    private const int DefaultKept = 2;
    private const int DefaultGrace = 30;
    private const int DefaultBetweenValidations = 10;
    private static readonly AdamWSettings Default = AdamWSettings.Default;
    private readonly Option<string?> text = Values.Option<string?>(
        "--data",
        "FILE",
        "a UTF-8 text to train on, its bytes being the tokens",
        Values.FilePath
    );
    private readonly Option<string?> tokens = Values.Option<string?>(
        "--tokens",
        "FILE",
        "raw 32-bit token ids to train on, in rows of seqlen + 1",
        Values.FilePath
    );
    private readonly Option<int?> steps = Values.Option(
        "--steps",
        "N",
        $"optimizer steps [default: {defaultSteps}]",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<ulong> seed = Values.Option(
        "--seed",
        "N",
        "seed of initial weights and of the order of rows [default: 0]",
        Values.Seed
    );
    private readonly Option<float?> learningRate = Real("--lr", "learning rate", Default.LearningRate, 0, 1e3, true);
    private readonly Option<float?> beta1 = Real("--beta1", "decay of the first moment", Default.Beta1, 0, 1, true);
    private readonly Option<float?> beta2 = Real("--beta2", "decay of the second moment", Default.Beta2, 0, 1, true);
    private readonly Option<float?> epsilon = Real("--eps", "added to the root of the second moment", Default.Epsilon, 0, 1, false);
    private readonly Option<float?> weightDecay = Real("--weight-decay", "decoupled weight decay", Default.WeightDecay, 0, 1e3, true);
    private readonly Option<string?> export = Values.Option<string?>(
        "--export",
        "DIR",
        "write the trained weights there, at the end and when interrupted: model.safetensors and config.json",
        Values.FilePath
    );
    private readonly Option<bool> overwrite = Values.Flag("--overwrite", "let --export replace a model that is there already");
    private readonly Option<string?> validation = Values.Option<string?>(
        "--validation",
        "FILE",
        "a text or token file to measure the loss on, too",
        Values.FilePath
    );
    private readonly Option<int?> validateEvery = Values.Option(
        "--validate-every",
        "N",
        $"steps between two validations [default: {DefaultBetweenValidations}]",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<string?> checkpoint = Values.Option<string?>(
        "--checkpoint",
        "DIR",
        "save the whole run there: at the end, on SIGINT (Ctrl-C), SIGTERM and SIGHUP, which end it (status 130, 143, 129), and on "
            + "SIGUSR1, which does not",
        Values.FilePath
    );
    private readonly Option<int?> checkpointEvery = Values.Option(
        "--checkpoint-every",
        "N",
        "and every N steps",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<int?> keep = Values.Option(
        "--keep",
        "N",
        $"how many checkpoints are kept, the newest [default: {DefaultKept}]",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<int?> grace = Values.Option(
        "--grace",
        "SECONDS",
        $"how long after a signal the program may still run; what is predicted to take longer is said at the start [default: "
            + $"{DefaultGrace}]",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<string?> resume = Values.Option<string?>(
        "--resume",
        "DIR",
        "go on with the run that was saved there, to the same bits as without the break, and save on there: nothing else need be given, "
            + "and what is given otherwise is named as a change or refused",
        Values.FilePath
    );
    private readonly Option<string?> trace = Values.Option<string?>(
        "--trace",
        "FILE",
        "measure some steps op by op and write them there, for https://ui.perfetto.dev or chrome://tracing",
        Values.FilePath
    );
    private readonly Option<string?> page = Values.Option<string?>(
        "--page",
        "FILE",
        "write the last of these steps there, below its prediction, as a page for a browser",
        Values.FilePath
    );
    private readonly Option<int[]?> traceSteps = Values.Option<int[]?>(
        "--trace-steps",
        "N,N",
        "which steps --trace and --page measure [default: the second and the third]",
        t => Values.Steps(t)
    );
    private readonly Option<int[]?> profile = Values.Option<int[]?>(
        "--profile-steps",
        "FIRST,LAST",
        "let an attached CUDA profiler record these steps alone (profiling/nsys.sh)",
        t => Values.Steps(t)
    );
    private readonly EventsOption json = new("print one JSON object a line: the plan, each step, each checkpoint, a summary or an error");

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        Option[] all =
        [
            text,
            tokens,
            steps,
            seed,
            learningRate,
            beta1,
            beta2,
            epsilon,
            weightDecay,
            validation,
            validateEvery,
            checkpoint,
            checkpointEvery,
            keep,
            grace,
            resume,
            export,
            overwrite,
            trace,
            page,
            traceSteps,
            profile,
            json,
        ];
        foreach (var option in all)
        {
            command.Options.Add(option);
        }

        // A saved run knows them all.
        foreach (var argument in command.Arguments)
        {
            argument.Arity = ArgumentArity.ZeroOrOne;
        }

        command.Validators.Add(line =>
        {
            string[] missing =
            [
                .. command.Arguments.Where(a => line.GetResult(a) is null or { Tokens.Count: 0 }).Select(a => $"<{a.Name}>"),
            ];
            if (missing.Length > 0 && line.GetResult(resume) is null)
            {
                line.AddError($"{string.Join(' ', missing)} {(missing.Length == 1 ? "is" : "are")} missing");
            }
        });
    }

    /// <summary>The saved run that a command line goes on with, and the command line with what it leaves out as that was saved.</summary>
    /// <exception cref="UserErrorException">There is no such run, or it does not say enough.</exception>
    public (ParseResult Parsed, ResumedRun? Resumed) Complete(ParseResult given) =>
        ResumedRun.Find(given.GetValue(resume)) is { } resumed ? (resumed.Complete(given), resumed) : (given, null);

    /// <summary>What was given.</summary>
    /// <exception cref="UserErrorException">Options contradict each other.</exception>
    public TrainingSettings Bind(ParseResult parsed, PlanSettings plan, PolicyOptions policy, DeviceSettings device, ResumedRun? resumed)
    {
        CheckNeeds(parsed);
        var given = Given(parsed, plan, policy, device);
        plan = device.Complete(plan);
        var (textPath, tokensPath) = (parsed.GetValue(text), parsed.GetValue(tokens));
        if (textPath is not null && tokensPath is not null)
        {
            throw new UserErrorException("--data and --tokens were both given; leave one out");
        }

        var optimizer = new AdamWSettings(
            parsed.GetValue(learningRate) ?? Default.LearningRate,
            parsed.GetValue(beta1) ?? Default.Beta1,
            parsed.GetValue(beta2) ?? Default.Beta2,
            parsed.GetValue(epsilon) ?? Default.Epsilon,
            parsed.GetValue(weightDecay) ?? Default.WeightDecay
        );
        return new TrainingSettings(
            plan,
            device,
            textPath,
            tokensPath,
            parsed.GetValue(steps) ?? defaultSteps,
            parsed.GetValue(seed),
            optimizer,
            parsed.GetValue(export),
            parsed.GetValue(json)
        )
        {
            Policy = policy.Bind(parsed, plan.Hardware, device.Kind),
            Given = given,
            Checkpoint = (parsed.GetValue(checkpoint) ?? resumed?.Folder) is { } folder
                ? new CheckpointSettings(
                    folder,
                    parsed.GetValue(checkpointEvery) ?? 0,
                    parsed.GetValue(keep) ?? DefaultKept,
                    parsed.GetValue(grace) ?? DefaultGrace
                )
                : null,
            Overwrite = parsed.GetValue(overwrite),
            Resumed = resumed,
            Profiled = parsed.GetValue(profile) switch
            {
                null or { Length: 0 } => null,
                [var first, var last] when first <= last => device.Kind == DeviceKind.Cpu
                    ? throw new UserErrorException("--profile-steps is for a CUDA profiler; give --device cuda")
                    : (first, last),
                _ => throw new UserErrorException("--profile-steps takes the first and the last step, as in --profile-steps 3,5"),
            },
            Trace = parsed.GetValue(trace),
            Page = parsed.GetValue(page),
            TracedSteps = parsed.GetValue(traceSteps),
            Validation = parsed.GetValue(validation) is { } path
                ? (path, parsed.GetValue(validateEvery) ?? DefaultBetweenValidations)
                : null,
        };
    }

    private static List<(string Name, string Value)> Given(
        ParseResult parsed,
        PlanSettings plan,
        PolicyOptions policy,
        DeviceSettings device
    )
    {
        var given = new List<(string Name, string Value)> { ("device", DeviceOptions.NameOf(device.Kind)) };
        void Add(string name, string? value)
        {
            if (value is not null)
            {
                given.Add((name, value));
            }
        }

        Add("policy", policy.Given(parsed) is { } named ? PlanPolicies.NameOf(named) : null);
        Add(
            "hardware",
            parsed.TextOf("--hardware") is { } machine && File.Exists(machine) ? Path.GetFullPath(machine) : parsed.TextOf("--hardware")
        );
        Add("save-set", parsed.TextOf("--save-set"));
        Add("device-memory", plan.Device is { } fast ? SavedSettings.Text(fast) : null);
        Add("host-memory", plan.Host is { } slow ? SavedSettings.Text(slow) : null);
        return given;
    }

    private void CheckNeeds(ParseResult parsed)
    {
        Option[] saved = [checkpointEvery, keep, grace];
        foreach (var option in saved)
        {
            parsed.Need(option, checkpoint, resume);
        }

        parsed.Need(validateEvery, validation);
        parsed.Need(overwrite, export);
        parsed.Need(traceSteps, trace, page);
    }

    private static Option<float?> Real(string name, string description, float byDefault, double least, double below, bool leastAllowed)
    {
        var parse = Values.Real(least, below, leastAllowed);
        return Values.Option<float?>(name, "X", $"{description} [default: {byDefault:0.##########}]", t => parse(t));
    }
}
