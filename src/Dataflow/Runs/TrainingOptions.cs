using System.Globalization;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What is asked to be trained, by the names of the command line's options.</summary>
public sealed record TrainingOptions
{
    private const int DefaultSteps = 10;
    private const int DefaultKept = 2;
    private const int DefaultGrace = 30;
    private const int DefaultBetweenValidations = 10;
    private readonly OptimizerSettings? optimizer;

    /// <summary>Model, length, budgets and where it runs.</summary>
    public required PlanOptions Plan { get; init; }

    /// <summary>
    /// What to train on: texts, records, conversations, tokenized folders, files of ids that say their type; paths and patterns. Where
    /// there is no tokenizer, one UTF-8 text, whose bytes are the tokens.
    /// </summary>
    public IReadOnlyList<string> Data { get; init; } = [];

    /// <summary>A file of raw token ids to train on, in place of data; by default the model folder's own.</summary>
    public string? Tokens { get; init; }

    /// <summary>How the data becomes rows.</summary>
    public CorpusOptions Corpus { get; init; } = new();

    /// <summary>What is to be trained on.</summary>
    internal DataChoice Choice => new(Data, Tokens, Corpus);

    /// <summary>Rows of the caller's own to train on, in place of a file. A resumed run is to be given the same again.</summary>
    public ITokenSource? Source { get; init; }

    /// <summary>Optimizer steps, those before a saved run was resumed included.</summary>
    public int Steps { get; init; } = DefaultSteps;

    /// <summary>Seed of initial weights and of the order of rows.</summary>
    public ulong Seed { get; init; }

    /// <summary>The settings of the plan's optimizer; by default its own.</summary>
    public OptimizerSettings Optimizer
    {
        get => optimizer ?? Plan.Optimizer.Defaults;
        init => optimizer = value;
    }

    /// <summary>How the learning rate goes over the steps: the name of one of <see cref="LearningRateSchedule.Kinds"/>.</summary>
    public string Schedule { get; init; } = LearningRateSchedule.Constant;

    /// <summary>How long the learning rate rises first.</summary>
    public WarmUp Warmup { get; init; }

    /// <summary>"k=v,k=v": the schedule's own options; null for its defaults.</summary>
    public string? ScheduleOptions { get; init; }

    /// <summary>Which parameters are updated with numbers of their own.</summary>
    public ParameterGroups Groups { get; init; } = ParameterGroups.None;

    /// <summary>
    /// The loss of pairs of answers, a chosen one and a rejected one, that the data then consists of (DPO and its like); null: the loss is
    /// that of the tokens.
    /// </summary>
    public PreferenceLoss? Preference { get; init; }

    /// <summary>
    /// The model that pairs are compared by, as <see cref="PlanOptions.Model"/> is named; null: the weights that the run begins with, and
    /// where an adapter is trained those of its base. Either way without an adapter.
    /// </summary>
    public string? Reference { get; init; }

    /// <summary>What the run looks for in its own numbers.</summary>
    public WatchOptions Watch { get; init; } = new();

    /// <summary>A folder for the trained weights, written at the end and when the run is cancelled.</summary>
    public string? Export { get; init; }

    /// <summary>
    /// The type of exported numbers: fp32, bf16 or fp16; null: that of the folder that the model came from, tensor by tensor, or that of
    /// the recipe's parameters.
    /// </summary>
    public StoredType? ExportType { get; init; }

    /// <summary>Most bytes of tensors in one exported file; null: 5 GB.</summary>
    public Bytes? ExportShard { get; init; }

    /// <summary>Whether the export may replace a model.</summary>
    public bool Overwrite { get; init; }

    /// <summary>A text or token file to measure the loss on besides.</summary>
    public string? Validation { get; init; }

    /// <summary>Steps between two validations.</summary>
    public int ValidateEvery { get; init; } = DefaultBetweenValidations;

    /// <summary>A folder to save the whole run in; null saves nothing.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Steps between two checkpoints; 0: at the end alone.</summary>
    public int CheckpointEvery { get; init; }

    /// <summary>How many checkpoints are kept, the newest.</summary>
    public int Keep { get; init; } = DefaultKept;

    /// <summary>How long after a cancellation the program may still run, in seconds: a save that takes longer is told of.</summary>
    public int Grace { get; init; } = DefaultGrace;

    /// <summary>Whether the figures are written for TensorBoard too, beside the checkpoints.</summary>
    public bool TensorBoard { get; init; }

    /// <summary>Every so many steps these have histograms of weights and gradients by group; 0: never. It takes a clip.</summary>
    public int Histograms { get; init; }

    /// <summary>Where to write a trace of the measured steps.</summary>
    public string? Trace { get; init; }

    /// <summary>Where to write the last measured step as a page, below its prediction.</summary>
    public string? Page { get; init; }

    /// <summary>Which steps to measure for a trace or a page; null is the library's choice.</summary>
    public IReadOnlyList<int>? TraceSteps { get; init; }

    /// <summary>The first and the last step that an attached CUDA profiler records; null leaves that to the profiler.</summary>
    public (int First, int Last)? ProfileSteps { get; init; }

    /// <summary>
    /// What was said of the run and by whom, by the options of the command line: for its description alone. Nothing of a run depends on it.
    /// </summary>
    public IReadOnlyList<RunSetting> Said { get; init; } = [];

    /// <summary>The run file that asked for it; null: none did. What it recorded is compared with what is there now.</summary>
    public RunFile? File { get; init; }

    /// <summary>The saved run that this one goes on with; null if it begins.</summary>
    public SavedRun? Resumed { get; init; }

    /// <summary>Whether something of the run remains besides what it tells.</summary>
    public bool LeavesSomething => Checkpoint is not null || Export is not null || Trace is not null || Page is not null;

    /// <summary>Whether the learning rate is another one in some steps than in others.</summary>
    internal bool IsScheduled => Schedule != LearningRateSchedule.Constant || Warmup != default || Rising is not null;

    /// <summary>The rates of a range test, in place of a schedule; null in other runs.</summary>
    internal RateRange? Rising { get; init; }

    /// <summary>The learning rates, where a step takes so many tokens.</summary>
    /// <exception cref="UserErrorException">There are none such.</exception>
    internal LearningRateSchedule RatesOf(long tokensOfStep)
    {
        if (Rising is { } range)
        {
            return LearningRateSchedule.Rising(range, Steps);
        }

        if (Schedule == LearningRateSchedule.WithoutWarmUp && Warmup != default)
        {
            throw new UserErrorException($"schedule {Schedule} has no warm-up; take {Schedule}_with_warmup, or leave --warmup out");
        }

        // The rate as the decimal that it was written as.
        double rate = double.Parse(Optimizer.LearningRate.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return LearningRateSchedule.Of(Schedule, ScheduleOptions, new ScheduleSpan(rate, Steps, Warmup.StepsOf(Steps, tokensOfStep)));
    }

    /// <summary>Where and when to save the run; null if it is not saved.</summary>
    internal CheckpointSettings? Saves => Checkpoint is { } folder ? new CheckpointSettings(folder, CheckpointEvery, Keep, Grace) : null;
}

/// <summary>Where and when a run is saved.</summary>
/// <param name="Folder">As it was named.</param>
/// <param name="Every">Steps between two checkpoints; 0: at the end alone.</param>
/// <param name="Keep">How many are kept, the newest.</param>
/// <param name="GraceSeconds">How long after a signal the program may still run.</param>
public sealed record CheckpointSettings(string Folder, int Every, int Keep, int GraceSeconds);
