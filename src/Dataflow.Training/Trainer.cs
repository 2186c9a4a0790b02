using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>What a step reports.</summary>
/// <param name="Step">Its number, from 1.</param>
/// <param name="Loss">
/// Mean over the counted targets, in nats, before the update; where targets have weights or the data has a divisor of its own, the sum of
/// losses times weights over that.
/// </param>
/// <param name="Tokens">Tokens of the step's rows.</param>
/// <param name="CountedTargets">Targets that the loss is the mean of.</param>
/// <param name="Duration">From before its first op to after its last.</param>
/// <param name="GradientNorm">Global norm of the gradients before clipping, where the workload computes it.</param>
/// <param name="Skipped">
/// Where the step was skipped: the first of its values that was not finite. Weights and optimizer state are as they were before it.
/// </param>
/// <param name="Preferences">What its pairs came to, where its rows are of pairs.</param>
public readonly record struct StepReport(
    int Step,
    double Loss,
    long Tokens,
    int CountedTargets,
    TimeSpan Duration,
    double? GradientNorm = null,
    NonFiniteValue? Skipped = null,
    PreferenceReport? Preferences = null
)
{
    /// <summary>Tokens per second of the step.</summary>
    public double TokensPerSecond => Tokens / Duration.TotalSeconds;
}

/// <summary>
/// Drives a schedule on a device: fills the token tables, runs steps, reads losses, and brings weights in and out. Knows neither how the
/// plan was made nor what the device is.
/// </summary>
public sealed partial class Trainer
{
    private readonly Workload workload;
    private readonly Schedule schedule;
    private readonly StepState state;
    private readonly Executor executor;
    private readonly TokenTableWriter tables;
    private readonly int[] table;
    private readonly ObjectId[] tableObjects;
    private readonly float[] losses;
    private readonly StepPairs? pairs;
    private readonly GradientNorms norms;
    private readonly StepDiagnosis diagnosis;
    private readonly Executor? evaluation;
    private readonly ObjectWeights parameters;
    private readonly (StatePart Part, OptimizerWeights Weights)[] optimizer;
    private readonly ulong seed;
    private WeightAverage? average;

    /// <param name="workload">What is trained.</param>
    /// <param name="schedule">The step that trains it.</param>
    /// <param name="device">Made for this schedule.</param>
    /// <param name="evaluation">The plan's evaluation step on the same arenas, if rows are to be evaluated.</param>
    /// <param name="seed">Of stochastic rounding.</param>
    /// <param name="preference">The loss of pairs, where rows are of these.</param>
    public Trainer(
        Workload workload,
        Schedule schedule,
        IDevice device,
        Executor? evaluation = null,
        ulong seed = 0,
        PreferenceLoss? preference = null
    )
    {
        (this.evaluation, this.seed) = (evaluation, seed);
        (this.workload, this.schedule) = (workload, schedule);
        state = new StepState(schedule, device);
        executor = new Executor(schedule, device);
        norms = new GradientNorms(schedule, state);
        diagnosis = new StepDiagnosis(workload.Model, device, executor, norms);
        var geometry = workload.Geometry;
        tables = new TokenTableWriter(workload.Model, geometry);
        table = new int[checked(tables.TableInts * geometry.ChunksPerRound)];
        tableObjects =
        [
            .. Enumerable
                .Range(0, geometry.Rounds)
                .SelectMany(r =>
                    Enumerable
                        .Range(0, geometry.ChunksPerRound)
                        .Select(c => new ObjectId(ObjectFamily.Tables) { Chunk = new Chunk(c), Round = new Round(r) })
                ),
        ];
        losses = new float[geometry.ChunksPerRound * geometry.Rounds];
        pairs = geometry.Pairs ? new StepPairs(geometry, preference ?? new PreferenceLoss(PreferenceKind.Sigmoid)) : null;
        var objects = new StoredObjects(workload);
        Weights = parameters = new ObjectWeights(state, workload.Model, objects, workload.Recipe.Parameters, ObjectFamily.Weights);
        var pieces = new PieceStates(schedule, workload).ByOwner;
        optimizer = [.. (workload.Kind.Updates() ? workload.Optimizer.State(workload.Recipe) : [])
            .Select(part => (part, new OptimizerWeights(pieces, state, parameters, objects, part)))];
        average = workload.Optimizer.TrainsAverage && workload.Kind.Updates() ? default(WeightAverage) : null;
        Gradients = new ObjectWeights(state, workload.Model, objects, workload.Recipe.Gradients, ObjectFamily.Gradients);
    }

    /// <summary>How groups of parameters differ in their updates; null: they do not.</summary>
    public UpdateTable? Updates { get; init; }

    /// <summary>Steps done.</summary>
    public int StepsDone { get; private set; }

    /// <summary>How many of them were skipped.</summary>
    public int StepsSkipped { get; private set; }

    /// <summary>What becomes of steps that are not finite.</summary>
    public NonFiniteSteps OnNonFinite { get; init; }

    /// <summary>
    /// What the weights were loaded from, where it can still be read: so a weight of it that is not finite is named, too, in a workload
    /// whose first step has replaced all weights by then.
    /// </summary>
    public IWeightSource? LoadedFrom { get; set; }

    /// <summary>The parameters, wherever they are; between steps.</summary>
    public IWeightSource Weights { get; }

    /// <summary>The gradients of the last step, where the workload yields them.</summary>
    public IWeightSource Gradients { get; }

    /// <summary>
    /// What the optimizer keeps, by weight, in the order of its parts; between steps. Nothing where the workload updates nothing.
    /// </summary>
    public IReadOnlyList<IWeightSource> OptimizerState => [.. optimizer.Select(o => o.Weights)];

    /// <summary>
    /// The weights that updates add to, where the parameters are these rounded; between steps. Null where the recipe has none, or the
    /// workload updates nothing.
    /// </summary>
    public IWeightSource? MasterWeights => optimizer.FirstOrDefault(o => o.Part.IsMaster).Weights;

    /// <summary>
    /// Of the last step, the square of the norm of each parameter object's gradients, before clipping; nothing where none is computed.
    /// </summary>
    public IReadOnlyList<(ParameterOwner Owner, double Square)> GradientSquares => [.. norms.Squares];

    /// <summary>All that a checkpoint holds of the run, where it is; between steps.</summary>
    public TrainingState State => new(workload.Recipe, workload.Optimizer, Weights, OptimizerState) { Average = average };

    /// <summary>Where weights wait on disk while others are evaluated in their place; it must have room for them.</summary>
    public string StashFolder { get; init; } = Path.GetTempPath();

    /// <summary>
    /// Sets all state as it was after that many steps. The parts are read side by side, each in the order of its elements, once: so files
    /// are read at the disk's rate and checked on the way.
    /// </summary>
    /// <param name="saved">All state.</param>
    /// <param name="stepsDone">After how many steps it was.</param>
    /// <param name="stepsSkipped">How many of these were skipped.</param>
    public void Load(TrainingState saved, int stepsDone, int stepsSkipped = 0)
    {
        ClearOptimizer();
        Action[] parts =
        [
            () => WeightLoading.LoadRun(workload.Model, saved.Weights, workload.Recipe.Parameters, parameters.Write),
            .. optimizer.Zip(
                saved.Parts,
                (into, from) => (Action)(() => TensorsOf(into.Part).Load(from, into.Weights.Write))),
        ];
        try
        {
            Parallel.Invoke(parts);
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }

        (StepsDone, StepsSkipped) = (stepsDone, stepsSkipped);
        average = average is null ? null : saved.Average ?? default(WeightAverage);
    }

    /// <summary>
    /// Writes all parameters, and what of the optimizer's state begins as they do, into the arenas, on all cores, and clears the rest.
    /// </summary>
    /// <exception cref="ArgumentException">They are of a model whose parameters lie in another order.</exception>
    public void Load(IWeightSource weights)
    {
        WeightLoading.Check(workload.Model, weights);
        ClearOptimizer();
        WeightLoading.Load(workload.Model, weights, workload.Recipe.Parameters, parameters.Write);
        parameters.WriteBase(weights);
        foreach (var (part, kept) in optimizer.Where(o => o.Part.BeginsAsWeights))
        {
            WeightLoading.Load(workload.Model, weights, part.Type, kept.Write);
        }

        (StepsDone, StepsSkipped) = (0, 0);
        average = average is null ? null : default(WeightAverage);
    }

    private StateTensors TensorsOf(StatePart part) => new(workload.Model, workload.Optimizer, workload.Recipe, part);

    /// <summary>Runs one step on the given rows of the source.</summary>
    /// <param name="source">The data.</param>
    /// <param name="rows">Rows of the source, as many as a step takes.</param>
    /// <param name="settings">This step's learning rate and the optimizer's constants.</param>
    /// <param name="clipNorm">Where the workload clips: the most that the gradients' global norm may be.</param>
    /// <exception cref="ArgumentException">There are more or fewer rows than a step takes.</exception>
    /// <exception cref="UserErrorException">
    /// No target of the rows counts, a weight or the divisor will not do, or the first loss is not finite.
    /// </exception>
    /// <exception cref="DivergedException">
    /// A later loss, or the norm of the gradients, is not finite, and such steps are not to be skipped. Where the norm is known before
    /// any update, or nothing is updated, the step is not counted, state is that of the step before, and the message says where the value
    /// arose.
    /// </exception>
    public StepReport Step(ITokenSource source, ReadOnlySpan<int> rows, OptimizerSettings settings, float clipNorm = float.PositiveInfinity)
    {
        var clock = Stopwatch.StartNew();
        if (workload.Optimizer.Fault(settings) is { } fault)
        {
            throw new UserErrorException(fault);
        }

        if (rows.Length != workload.Geometry.Rows)
        {
            throw new ArgumentException($"{rows.Length} rows, the plan has {workload.Geometry.Rows}", nameof(rows));
        }

        var (counted, divisor) = WriteTables(source, rows) is { Counted: > 0 } some ? some : throw NothingCounts("this step");
        int updates = StepsDone + 1 - StepsSkipped;
        var before = average;
        if (before is { } reached)
        {
            (average, settings) = reached.Next(settings, updates);
        }

        StepsDone++;
        var arguments = new StepArguments(updates, settings, 1f / (float)divisor, clipNorm, seed) { Updates = Updates };
        double loss = Run(executor, arguments) / divisor;
        double? norm = norms.Read();
        bool isFinite = double.IsFinite(loss) && norm is not (double.NaN or double.PositiveInfinity);
        if (!isFinite)
        {
            average = before;
        }

        var skipped = isFinite ? null : SkipOrThrow(source, rows, arguments, (loss, norm));
        long tokens = (long)rows.Length * workload.Geometry.Seqlen;
        return new StepReport(StepsDone, loss, tokens, counted, clock.Elapsed, norm, skipped, pairs?.Report);
    }

    /// <summary>Finds out where a step's value that is not finite arose, if its state is as it was before the step.</summary>
    private NonFiniteValue? SkipOrThrow(
        ITokenSource source,
        ReadOnlySpan<int> rows,
        in StepArguments arguments,
        (double Loss, double? Norm) got
    )
    {
        bool updated = workload.Kind.Updates() && got.Norm is not (double.NaN or double.PositiveInfinity);
        var first = updated && StepsDone == 1 ? StepDiagnosis.FirstWeight(LoadedFrom) : null;
        if (!updated)
        {
            WriteTables(source, rows);
            first = diagnosis.Run(arguments);
        }

        if (OnNonFinite == NonFiniteSteps.Skip && !updated && workload.Kind.Updates())
        {
            StepsSkipped++;
            return first;
        }

        int step = StepsDone;
        StepsDone -= updated ? 0 : 1;
        throw StepDiagnosis.Failure(step, got, workload, first);
    }

    private static UserErrorException NothingCounts(string what) =>
        new($"no target of {what} counts: its documents have one token each, or a loss mask leaves all out; give rows with others");

    /// <summary>The sum of the counted targets' losses, each times its weight; of pairs the sum of theirs.</summary>
    private double Run(Executor steps, in StepArguments arguments)
    {
        steps.RunStep(arguments);
        if (pairs is not null)
        {
            return pairs.Read(state);
        }

        state.Read(new ObjectId(ObjectFamily.Losses), Bytes.Zero, MemoryMarshal.AsBytes(losses.AsSpan()));
        return losses.Sum(l => (double)l);
    }

    private (int Counted, double Divisor) WriteTables(ITokenSource source, ReadOnlySpan<int> rows)
    {
        var geometry = workload.Geometry;
        int counted = 0;
        double weights = 0;
        pairs?.Begin();
        for (int r = 0; r < geometry.Rounds; r++)
        {
            // Of fewer rows than the step's the last rounds have fewer, or padding alone.
            int first = Math.Min(r * geometry.RowsPerRound, rows.Length);
            var mine = rows.Slice(first, Math.Min(geometry.RowsOf(new Round(r)), rows.Length - first));
            counted += tables.Write(source, mine, table, geometry.ChunksPerRound);
            weights += tables.WeightSum;
            pairs?.Add(new Round(r), source, mine, tables.TargetsOf);
            for (int c = 0; c < geometry.ChunksPerRound; c++)
            {
                var ints = table.AsSpan(c * tables.TableInts, tables.TableInts);
                state.Write(tableObjects[(r * geometry.ChunksPerRound) + c], Bytes.Zero, MemoryMarshal.AsBytes(ints));
            }
        }

        pairs?.Write(state);
        double divisor = counted == 0 ? 0 : pairs?.Count ?? source.DivisorOf(rows, counted, weights);
        return counted == 0 || (divisor > 0 && float.IsFinite((float)divisor) && float.IsFinite(1f / (float)divisor))
            ? (counted, divisor)
            : throw new UserErrorException(
                $"the loss of a step would be divided by {divisor} (its {counted} targets weigh {weights} together); give a positive number"
            );
    }

    // On all cores, as weights are loaded: it may be most of the host's memory.
    private void ClearOptimizer()
    {
        byte[] zeros = new byte[WeightLoading.PieceElements];
        var pieces = schedule
            .Objects.Where(o => o.Family == ObjectFamily.Moments)
            .SelectMany(o => WeightLoading.Pieces(o.Length.Value).Select(p => (Id: o.Id!.Value, p.First, p.Count)));
        Parallel.ForEach(pieces, piece => state.Write(piece.Id, new Bytes(piece.First), zeros.AsSpan(0, piece.Count)));
    }
}
