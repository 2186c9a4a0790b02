using Dataflow.Model;

namespace Dataflow;

/// <summary>What a user asked to have trained.</summary>
internal sealed record TrainingSettings(
    PlanSettings Plan,
    DeviceSettings Device,
    string? TextPath,
    string? TokensPath,
    int Steps,
    ulong Seed,
    AdamWSettings Optimizer,
    string? Export
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
