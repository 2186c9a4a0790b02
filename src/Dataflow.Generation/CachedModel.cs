using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Generation;

/// <summary>Tokens that continue a sequence.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="Ids">The tokens.</param>
/// <param name="Wanted">Of how many of the last of them logits are asked for.</param>
public readonly record struct Continuation(CachedSequence Sequence, ReadOnlyMemory<int> Ids, int Wanted);

/// <summary>The logits of a token, from the moment at which they are told to the end of that call.</summary>
/// <param name="Continuation">Which of the continuations it is of.</param>
/// <param name="Token">Which of its tokens.</param>
/// <param name="Logits">[vocabulary], as the model defines them: scaled, and kept within its softcap.</param>
public delegate void LogitsOf(int Continuation, int Token, Span<float> Logits);

/// <summary>
/// A model that continues sequences: steps of a schedule on a device, each of as many tokens as it has room for, whichever sequences they
/// belong to. Keys and values, and states, stay in the plan's cache from step to step.
/// </summary>
public sealed class CachedModel
{
    private const int PieceBytes = 1 << 20;

    private readonly Workload workload;
    private readonly StepState state;
    private readonly Executor executor;
    private readonly CachedTable table;
    private readonly CacheRows rows;
    private readonly float[] logits;
    private readonly VocabularyRows vocabulary;
    private readonly List<(int Continuation, int Token)> asked = [];
    private static readonly ObjectId s_table = new(ObjectFamily.Tables) { Chunk = new Chunk(0), Round = new Round(0) };

    /// <summary>An empty cache, and no weights yet.</summary>
    /// <param name="workload">Of kind <see cref="WorkloadKind.Generation"/>.</param>
    /// <param name="schedule">The step.</param>
    /// <param name="device">Made for it.</param>
    /// <exception cref="ArgumentException">The workload is of another kind.</exception>
    public CachedModel(Workload workload, Schedule schedule, IDevice device)
    {
        var cache = workload.Geometry.Cache ?? throw new ArgumentException("a step of another kind keeps no keys", nameof(workload));
        this.workload = workload;
        state = new StepState(schedule, device);
        executor = new Executor(schedule, device);
        table = new CachedTable(workload.Model, workload.Geometry);
        rows = new CacheRows(cache.Rows, cache.SequenceRows);
        vocabulary = new VocabularyRows(workload.Model.VocabSize, workload.Geometry.VocabularyBlocks);
        logits = new float[workload.Model.VocabSize];
        Clear(schedule);
    }

    /// <summary>Steps that have run.</summary>
    public long Steps { get; private set; }

    /// <summary>Tokens of a step at most.</summary>
    public int StepTokens => workload.Geometry.ChunkTokens;

    /// <summary>Tokens of a step whose logits may be asked for, at most.</summary>
    public int MostLogits => workload.Geometry.Cache!.Logits;

    /// <summary>Writes all parameters into the arenas.</summary>
    public void Load(IWeightSource weights) => WeightLoading.Load(workload, state, weights);

    /// <summary>A place for a sequence; null where there is no room until another is closed.</summary>
    /// <param name="capacity">Tokens that it may be given; where layers keep states, no more than the plan has for each sequence.</param>
    /// <param name="length">
    /// Tokens that it may have in the end: where rotary positions depend on a length, this is it. Null: the capacity.
    /// </param>
    public CachedSequence? Open(int capacity, int? length = null) => rows.Take(capacity, length ?? capacity);

    /// <summary>Its rows are free for others.</summary>
    public void Close(CachedSequence sequence) => rows.Free(sequence);

    /// <summary>Continues sequences, each by all of its tokens, in as few steps as have room for them.</summary>
    /// <param name="continuations">Each of another sequence.</param>
    /// <param name="tell">Told the logits that are asked for, in the order of continuations and tokens.</param>
    /// <param name="cancellation">Looked at before each step; sequences keep the tokens of the steps that ran.</param>
    /// <exception cref="ArgumentException">A sequence gets more tokens than it has room for, or an id is none of the
    /// vocabulary.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Continue(IReadOnlyList<Continuation> continuations, LogitsOf tell, CancellationToken cancellation = default)
    {
        Begin();
        for (int c = 0; c < continuations.Count; c++)
        {
            var (sequence, ids, wanted) = continuations[c];
            if (sequence.Count + ids.Length > sequence.Capacity)
            {
                throw new ArgumentException(
                    $"a sequence of {sequence.Count} tokens gets {ids.Length} more and has room for {sequence.Capacity}",
                    nameof(continuations));
            }

            for (int i = 0; i < ids.Length; i++)
            {
                bool asks = i >= ids.Length - wanted;
                if (table.Count == StepTokens || (asks && table.Logits == workload.Geometry.Cache!.Logits))
                {
                    Run(tell, cancellation);
                    Begin();
                }

                int id = ids.Span[i];
                if ((uint)id >= (uint)workload.Model.VocabSize)
                {
                    throw new ArgumentException($"token {id} is none of {workload.Model.VocabSize}", nameof(continuations));
                }

                table.Add(sequence, sequence.Count++, id, asks);
                if (asks)
                {
                    asked.Add((c, i));
                }
            }
        }

        if (table.Count > 0)
        {
            Run(tell, cancellation);
        }
    }

    private void Begin()
    {
        table.Begin();
        asked.Clear();
    }

    private void Run(LogitsOf tell, CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
        {
            table.TakeBack();
            cancellation.ThrowIfCancellationRequested();
        }

        state.Write(s_table, Bytes.Zero, table.Bytes);
        var extent = new StepExtent(table.Count, table.Logits, table.FirstRow)
        {
            Sequences = workload.Model.HasStates ? table.Sequences : null,
        };
        executor.RunStep(new StepArguments(1, default, 1) { Extent = extent });
        Steps++;
        for (int i = 0; i < asked.Count; i++)
        {
            ReadLogits(i);
            tell(asked[i].Continuation, asked[i].Token, logits);
        }
    }

    /// <summary>Blocks of the vocabulary lie one after the other, each with a row for every token.</summary>
    private void ReadLogits(int row)
    {
        for (int b = 0; b < vocabulary.Count; b++)
        {
            var block = new VocabularyBlock(b);
            var part = logits.AsSpan(vocabulary.First(block), vocabulary.RowsOf(block));
            var id = new ObjectId(ObjectFamily.Logits) { Piece = vocabulary.AreCut ? b : null };
            state.Read(id, new Bytes(4L * row * part.Length), MemoryMarshal.AsBytes(part));
            Map(part);
        }
    }

    private void Map(Span<float> row)
    {
        var model = workload.Model;
        float scale = (float)model.LogitScale;
        if (scale != 1)
        {
            foreach (ref float logit in row)
            {
                logit *= scale;
            }
        }

        if (model.LogitSoftcap is { } cap)
        {
            foreach (ref float logit in row)
            {
                logit = (float)cap * MathF.Tanh(logit / (float)cap);
            }
        }
    }

    // What no sequence has filled travels, and is never looked at.
    private void Clear(Schedule schedule)
    {
        byte[] zeros = new byte[PieceBytes];
        foreach (var cache in schedule.Objects.Where(o => o.Family == ObjectFamily.Windows))
        {
            for (long at = 0; at < cache.Length.Value; at += PieceBytes)
            {
                state.Write(cache.Id!.Value, new Bytes(at), zeros.AsSpan(0, (int)Math.Min(PieceBytes, cache.Length.Value - at)));
            }
        }
    }
}
