using System.CommandLine;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>Where a run's settings come from besides the command line.</summary>
/// <param name="Resumed">The saved run that it goes on with; null: it begins.</param>
/// <param name="File">The run file; null: none was named.</param>
/// <param name="Said">All that was said, and by whom.</param>
internal sealed record RunSource(SavedRun? Resumed, RunFile? File, IReadOnlyList<RunSetting> Said);

/// <summary>The options of training, apart from those of the plan.</summary>
internal sealed class TrainingFlags(int defaultSteps)
{
    private const int RangeTestSteps = 100;
    private static readonly TrainingOptions ByDefault = new() { Plan = new PlanOptions { Model = "", Seqlen = 0 } };
    private readonly Option<string[]?> data = Declare.Several(
        "--data",
        "SOURCE",
        "what to train on: texts, JSON lines, Parquet (also .gz and .zst), a pattern of these, or a folder of tokens; may be given again. "
            + "Without a tokenizer: one text, whose bytes are the tokens",
        Values.FilePath
    );
    private readonly CorpusFlags corpus = new();
    private readonly Option<string?> tokens = Declare.Option<string?>(
        "--tokens",
        "FILE",
        "raw token ids to train on, in rows of seqlen + 1",
        Values.FilePath
    );
    private readonly Option<int?> steps = Declare.Option(
        "--steps",
        "N",
        $"optimizer steps [default: {defaultSteps}; of --lr-find: {RangeTestSteps}]",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<ulong> seed = Declare.Option(
        "--seed",
        "N",
        "seed of initial weights and of the order of rows [default: 0]",
        Values.Seed
    );
    private readonly HyperparameterFlags hyperparameters = new();
    private readonly ScheduleFlags schedule = new();
    private readonly GroupFlags groups = new();
    private readonly PreferenceFlags preferences = new();
    private readonly WatchFlags watch = new();
    private readonly MetricsFlags metrics = new();
    private readonly Option<string?> export = Declare.Option<string?>(
        "--export",
        "DIR",
        "write the trained weights there, at the end and when interrupted: a folder such as the model came from, with its config and "
            + "tokenizer",
        Values.FilePath
    );
    private readonly Option<StoredType?> exportType = Declare.Option<StoredType?>(
        "--export-dtype",
        "TYPE",
        "type of exported numbers: fp32, bf16 or fp16 [default: each tensor's in the model's folder, or that of --dtype]",
        t => Values.ExportType(t)
    );
    private readonly Option<Bytes?> exportShard = Declare.Option<Bytes?>(
        "--export-shard",
        "SIZE",
        "most bytes of an exported file; a larger model has several and an index [default: 5 GB]",
        t => Values.Size(t)
    );
    private readonly Option<bool> overwrite = Declare.Flag("--overwrite", "let --export replace a model that is there already");
    private readonly Option<string?> validation = Declare.Option<string?>(
        "--validation",
        "FILE",
        "a text or token file to measure the loss on, too",
        Values.FilePath
    );
    private readonly Option<int?> validateEvery = Declare.Option(
        "--validate-every",
        "N",
        $"steps between two validations [default: {ByDefault.ValidateEvery}]",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<string?> checkpoint = Declare.Option<string?>(
        "--checkpoint",
        "DIR",
        "save the whole run there: at the end, on SIGINT (Ctrl-C), SIGTERM and SIGHUP, which end it (status 130, 143, 129), and on "
            + "SIGUSR1, which does not",
        Values.FilePath
    );
    private readonly Option<int?> checkpointEvery = Declare.Option(
        "--checkpoint-every",
        "N",
        "and every N steps",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<int?> keep = Declare.Option(
        "--keep",
        "N",
        $"how many checkpoints are kept, the newest [default: {ByDefault.Keep}]",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<int?> grace = Declare.Option(
        "--grace",
        "SECONDS",
        $"how long after a signal the program may still run; what is predicted to take longer is said at the start [default: "
            + $"{ByDefault.Grace}]",
        Values.OptionalCount(1, int.MaxValue)
    );
    private readonly Option<string?> resume = Declare.Option<string?>(
        "--resume",
        "DIR",
        "go on with the run that was saved there, to the same bits as without the break, and save on there: nothing else need be given, "
            + "and what is given otherwise is named as a change or refused",
        Values.FilePath
    );
    private readonly Option<string?> trace = Declare.Option<string?>(
        "--trace",
        "FILE",
        "measure some steps op by op and write them there, for https://ui.perfetto.dev or chrome://tracing",
        Values.FilePath
    );
    private readonly Option<string?> page = Declare.Option<string?>(
        "--page",
        "FILE",
        "write the last of these steps there, below its prediction, as a page for a browser; with --lr-find the loss over the rates",
        Values.FilePath
    );
    private readonly Option<int[]?> traceSteps = Declare.Option<int[]?>(
        "--trace-steps",
        "N,N",
        "which steps --trace and --page measure [default: the second and the third]",
        t => Values.Steps(t)
    );
    private readonly Option<int[]?> profile = Declare.Option<int[]?>(
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
            data,
            tokens,
            .. corpus.All,
            steps,
            seed,
            .. hyperparameters.All,
            .. schedule.All,
            .. groups.All,
            .. preferences.All,
            .. watch.All,
            .. metrics.All,
            validation,
            validateEvery,
            checkpoint,
            checkpointEvery,
            keep,
            grace,
            resume,
            export,
            exportType,
            exportShard,
            overwrite,
            trace,
            page,
            traceSteps,
            profile,
            json,
            new SchemaOption(),
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
                line.AddError($"{string.Join(' ', missing)} {(missing.Length == 1 ? "is" : "are")} missing{schedule.TakenBy(line)}");
            }
        });
    }

    /// <summary>The rates of a range test, where one was asked for in place of training.</summary>
    public RateRange? RangeOf(ParseResult parsed) => schedule.RangeOf(parsed);

    /// <summary>Whether each event is to be a line of JSON.</summary>
    public bool IsJson(ParseResult parsed) => parsed.GetValue(json);

    /// <summary>
    /// The command line with what a run file says that it names, and what the saved run says that it goes on with; and what comes of these
    /// besides.
    /// </summary>
    /// <exception cref="UserErrorException">There is no such run, or it does not say enough; the file is none of this command.</exception>
    public (ParseResult Parsed, RunSource From) Complete(ParseResult given)
    {
        var file = RunFileCommandLine.Of(given);
        var read = file is null ? given : RunFileCommandLine.Complete(file, given);
        schedule.CheckRange(read);
        var resumed = read.GetValue(resume) is { } folder ? SavedRun.Find(folder) : null;
        var complete = resumed is null ? read : ResumedCommandLine.Complete(resumed, read);
        return (complete, new RunSource(resumed, file, SaidSettings.Of(given, read, complete)));
    }

    /// <summary>What was given.</summary>
    /// <exception cref="UserErrorException">Options contradict each other.</exception>
    public TrainingOptions Bind(ParseResult parsed, PlanOptions plan, RunSource from)
    {
        var resumed = from.Resumed;
        CheckNeeds(parsed);
        var given = new TrainingOptions
        {
            Plan = plan,
            Data = parsed.GetValue(data) ?? [],
            Corpus = corpus.Bind(parsed),
            Tokens = parsed.GetValue(tokens),
            Steps = parsed.GetValue(steps) ?? (RangeOf(parsed) is null ? defaultSteps : RangeTestSteps),
            Seed = parsed.GetValue(seed),
            // Of a saved run, whose numbers these are, even where another optimizer was given: that is refused, not its numbers.
            Optimizer = hyperparameters.Bind(parsed, Optimizer.Named(resumed?.Checkpoint.Progress.Optimizer ?? "") ?? plan.Optimizer),
            Schedule = schedule.Name(parsed),
            Warmup = schedule.WarmUpOf(parsed),
            ScheduleOptions = schedule.Options(parsed),
            Groups = groups.Bind(parsed),
            Preference = preferences.Bind(parsed),
            Reference = preferences.ReferenceOf(parsed),
            Watch = watch.Bind(parsed),
            Export = parsed.GetValue(export),
            ExportType = parsed.GetValue(exportType),
            ExportShard = parsed.GetValue(exportShard),
            Overwrite = parsed.GetValue(overwrite),
            Validation = parsed.GetValue(validation),
            Checkpoint = parsed.GetValue(checkpoint) ?? resumed?.Folder,
            CheckpointEvery = parsed.GetValue(checkpointEvery) ?? 0,
            Resumed = resumed,
            File = from.File,
            Said = from.Said,
            ProfileSteps = parsed.GetValue(profile) switch
            {
                null or { Length: 0 } => null,
                [var first, var last] when first <= last => plan.Device.Kind == DeviceKind.Cpu
                    ? throw new UserErrorException("--profile-steps is for a CUDA profiler; give --device cuda")
                    : (first, last),
                _ => throw new UserErrorException("--profile-steps takes the first and the last step, as in --profile-steps 3,5"),
            },
            Trace = parsed.GetValue(trace),
            Page = parsed.GetValue(page),
            TraceSteps = parsed.GetValue(traceSteps),
        };
        if (given is { Data.Count: > 0, Tokens: not null })
        {
            throw new UserErrorException("--data and --tokens were both given; leave one out");
        }

        return metrics.Bind(parsed, given) with
        {
            Keep = parsed.GetValue(keep) ?? given.Keep,
            Grace = parsed.GetValue(grace) ?? given.Grace,
            ValidateEvery = parsed.GetValue(validateEvery) ?? given.ValidateEvery,
        };
    }

    private void CheckNeeds(ParseResult parsed)
    {
        Option[] saved = [checkpointEvery, keep, grace];
        foreach (var option in saved)
        {
            parsed.Need(option, checkpoint, resume);
        }

        schedule.CheckNeeds(parsed);
        preferences.CheckNeeds(parsed);
        parsed.Need(validateEvery, [validation, corpus.Split]);
        parsed.Need(overwrite, export);
        parsed.Need(exportType, export);
        parsed.Need(exportShard, export);
        parsed.Need(traceSteps, trace, page);
    }
}
