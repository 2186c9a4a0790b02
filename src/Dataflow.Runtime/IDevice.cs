using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>What differs from step to step.</summary>
/// <param name="Step">Optimizer step, from 1.</param>
/// <param name="Optimizer">Learning rate and the other settings of the update.</param>
/// <param name="LossScale">1 / counted targets of the step: the loss is their mean.</param>
/// <param name="ClipNorm">Where the schedule computes the gradients' global norm: it is scaled down to this.</param>
/// <param name="Seed">Of stochastic rounding.</param>
public readonly record struct StepArguments(
    int Step,
    OptimizerSettings Optimizer,
    float LossScale,
    float ClipNorm = float.PositiveInfinity,
    ulong Seed = 0
)
{
    /// <summary>How much of what there is room for the step's chunks have; null: all of it.</summary>
    public StepExtent? Extent { get; init; }

    /// <summary>How elements are updated, where groups of parameters differ; null: all alike.</summary>
    public UpdateTable? Updates { get; init; }
}

/// <summary>What is known of a step that continues sequences only when it runs.</summary>
/// <param name="Tokens">Tokens of the chunk, from 1 to those that it has room for.</param>
/// <param name="Logits">How many of them have their logits asked for; 0: none.</param>
/// <param name="FirstRow">
/// The window row of the first token where all are of one sequence and the others follow it, row after row; null where they do not.
/// </param>
public readonly record struct StepExtent(int Tokens, int Logits, int? FirstRow)
{
    /// <summary>Which of the tokens are whose, where layers have states; null: no layer has one.</summary>
    public IReadOnlyList<SequenceTokens>? Sequences { get; init; }
}

/// <summary>Neighbouring tokens of a step that continue one sequence.</summary>
/// <param name="First">The first of them, counted from the step's first.</param>
/// <param name="Count">How many.</param>
/// <param name="FirstRow">Where in the cache the sequence begins.</param>
/// <param name="Position">Tokens that it had before.</param>
public readonly record struct SequenceTokens(int First, int Count, int FirstRow, int Position);

/// <summary>
/// Where the verbs of a schedule land. A device is made for one schedule and workload; it owns the arenas. Ops of one stream run in
/// the order of their launch; nothing is allocated after construction.
/// </summary>
public interface IDevice : IDisposable
{
    /// <summary>For people: "cpu, 2 threads".</summary>
    string Name { get; }

    /// <summary>
    /// Runs another schedule over the same arenas and slots; this device must outlive the other, and only one of them may be within a step.
    /// </summary>
    IDevice For(Schedule schedule, Workload workload);

    /// <summary>Sets the arguments of the ops launched from now on; all earlier ops must have completed.</summary>
    void BeginStep(in StepArguments arguments);

    /// <summary>
    /// Later launches on the stream start only after the op's latest launch (distance 0) or the one before (1) has completed.
    /// </summary>
    void Wait(int stream, Wait wait);

    /// <summary>Appends an op to its stream; may return before it runs.</summary>
    void Launch(int op);

    /// <summary>Returns when every launched op has completed; rethrows the first failure of one.</summary>
    void Synchronize();

    /// <summary>Copies into a slot, from its first byte on; only between steps.</summary>
    void Write(int slot, Bytes offset, ReadOnlySpan<byte> source);

    /// <summary>Copies out of a slot; only between steps.</summary>
    void Read(int slot, Bytes offset, Span<byte> destination);
}
