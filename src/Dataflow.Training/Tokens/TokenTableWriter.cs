using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Turns rows of tokens into the tables that kernels read. A round's rows, their inputs one after another, are one run of tokens, cut
/// into chunks of T; after the last row there is padding. A chunk's table (<see cref="ChunkTable"/>) is arrays of T 32-bit integers, back
/// to back:
/// <list type="number">
/// <item>ids: the token;</item>
/// <item>targets: the token to be predicted, -1 where none counts;</item>
/// <item>firstKey: the row of the key/value window that holds the first token of this token's document; attention begins there, and
/// the position within the document is counted from it;</item>
/// <item>order: the token numbers 0 to T - 1 sorted by id, equal ids by number: what the embedding's gradient sums along. Those of the
/// model's padding id, whose row has no gradient, are left out, and as many -1 stand at the end;</item>
/// <item>for each attention window that layers have, firstKey again, but no further back than the window;</item>
/// <item>where a model learns positions, each token's place in its document, and the token numbers sorted by these;</item>
/// <item>where a document's length changes rotary frequencies, which of the chunk's are the token's;</item>
/// <item>where targets have weights, the target's, as fp32; and behind all arrays these frequencies.</item>
/// </list>
/// A group of chunks shares one key/value window: chunk c of the round starts at row (c mod chunks per group) x T of its group's. No
/// document may reach from one group into the next. What a short row lacks is padding, too. Without document lengths a row is one document
/// whose targets all count (the last one is the row's extra token); with them, the last target of each document belongs to another text and
/// does not count. Nor does what a loss mask leaves out, or what weighs 0.
/// </summary>
public sealed class TokenTableWriter
{
    /// <summary>The target of a token whose prediction does not count.</summary>
    public const int NotCounted = -1;

    private readonly int _seqlen;
    private readonly int _chunkTokens;
    private readonly int _chunksPerGroup;
    private readonly int? _paddingId;
    private readonly int[] _windows;
    private readonly int[] _row;
    private readonly byte[] _mask;
    private readonly float[] _weights;
    private readonly int? _weightsArray;
    private readonly int? _sequencesArray;
    private readonly int _sequencesOfRow;
    private readonly int[] _targetsOf = [];
    private readonly long[] _sortKeys;
    private readonly bool _countsPositions;
    private readonly bool _wholeRows;
    private readonly List<RotarySetWriter> _rotary = [];

    /// <summary>
    /// A writer for one geometry. It keeps its working memory, so it is for one thread at a time and allocates nothing per call.
    /// </summary>
    /// <param name="seqlen">Inputs of a row.</param>
    /// <param name="chunkTokens">T.</param>
    /// <param name="chunksPerGroup">Chunks that share a window.</param>
    /// <param name="paddingId">The token whose row of the embedding table is not trained, if there is one.</param>
    /// <param name="windows">The attention windows of layers (<see cref="ChunkTable.Windows"/>).</param>
    public TokenTableWriter(int seqlen, int chunkTokens, int chunksPerGroup, int? paddingId = null, params ReadOnlySpan<int> windows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(seqlen, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(chunkTokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(chunksPerGroup, 1);
        _seqlen = seqlen;
        _chunkTokens = chunkTokens;
        _chunksPerGroup = chunksPerGroup;
        _paddingId = paddingId;
        _windows = windows.ToArray();
        _row = new int[seqlen + 1];
        _mask = new byte[seqlen];
        _weights = new float[seqlen];
        _sortKeys = new long[chunkTokens];
        TableInts = (ChunkTable.WindowsArray + _windows.Length) * chunkTokens;
    }

    /// <summary>A writer for the tables that a model's kernels read.</summary>
    public TokenTableWriter(ModelConfig model, Geometry geometry)
        : this(geometry.Seqlen, geometry.ChunkTokens, geometry.ChunksPerGroup, model.PaddingId, [.. ChunkTable.Windows(model)])
    {
        _countsPositions = model.LearnedPositions is not null;
        _wholeRows = geometry.Cudnn is not null;
        _weightsArray = geometry.TargetWeights ? ChunkTable.TargetWeightsArray(model, geometry) : null;
        if (geometry.Pairs)
        {
            _sequencesArray = ChunkTable.SequencesArray(model, geometry);
            _sequencesOfRow = PairTable.SequencesOfRow(geometry);
            _targetsOf = new int[PairTable.Sequences(geometry)];
        }

        foreach (var kind in model.Kinds.DistinctBy(model.PositionsOf).Where(k => model.PositionsOf(k).DependOnLength))
        {
            _rotary.Add(new RotarySetWriter(model, model.PositionsOf(kind), geometry, ChunkTable.RotarySets(model, geometry, kind)));
        }

        TableInts = checked((int)(ChunkTable.Size(model, geometry).Value / sizeof(int)));
    }

    /// <summary>Integers of one chunk's table: 4 T, T more a window, and what else the model's kernels want to know.</summary>
    public int TableInts { get; }

    /// <summary>The sum of the weights of the targets that counted in the last call.</summary>
    public double WeightSum { get; private set; }

    /// <summary>Where documents are pairs: how many targets counted in the last call in each document of the round.</summary>
    public ReadOnlySpan<int> TargetsOf => _targetsOf;

    private int PositionsArray => ChunkTable.WindowsArray + _windows.Length;

    private int RotaryArray => PositionsArray + (_countsPositions ? 2 : 0);

    /// <summary>Fills the tables of a round whose chunks lie back to back; as the overload with a stride.</summary>
    public int Write(ITokenSource source, ReadOnlySpan<int> rows, Span<int> tables, int chunks) =>
        Write(source, rows, tables, chunks, TableInts);

    /// <summary>Fills the tables of one round.</summary>
    /// <param name="source">Where the rows come from; its rows have seqlen + 1 tokens.</param>
    /// <param name="rows">The round's rows, in order; rows x seqlen is at most chunks x T.</param>
    /// <param name="tables">Chunk c's table starts at c x stride. What lies between tables is left as it is.</param>
    /// <param name="chunks">Chunks of the round.</param>
    /// <param name="stride">Integers from one chunk's table to the next, at least <see cref="TableInts"/>.</param>
    /// <returns>How many targets count.</returns>
    /// <exception cref="InvalidOperationException">A document would reach from one window group into the next, or targets have weights
    /// that the tables have no room for.</exception>
    /// <exception cref="UserErrorException">A weight is no finite number.</exception>
    public int Write(ITokenSource source, ReadOnlySpan<int> rows, Span<int> tables, int chunks, int stride)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(source.RowLength, _seqlen + 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(chunks, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(stride, TableInts);
        long capacity = (long)chunks * _chunkTokens;
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)rows.Length * _seqlen, capacity, nameof(rows));
        ArgumentOutOfRangeException.ThrowIfLessThan(tables.Length, ((chunks - 1L) * stride) + TableInts, nameof(tables));

        int counted = 0;
        long token = 0;
        WeightSum = 0;
        _targetsOf.AsSpan().Clear();
        _rotary.ForEach(r => r.Begin());
        foreach (int row in rows)
        {
            counted += WriteRow(source, row, token, tables, stride);
            token += _seqlen;
        }

        for (; token < capacity; token++)
        {
            Put(tables, stride, token, id: 0, NotCounted, (token, 1));
            PutWeight(tables, stride, token, 0);
            PutSequence(tables, stride, token, NotCounted);
        }

        for (int chunk = 0; chunk < chunks; chunk++)
        {
            var table = tables.Slice(chunk * stride, TableInts);
            Sort(table, ChunkTable.IdsArray, ChunkTable.OrderArray, _paddingId);
            if (_countsPositions)
            {
                Sort(table, PositionsArray, PositionsArray + 1, leftOut: null);
            }
        }

        return counted;
    }

    private int WriteRow(ITokenSource source, int row, long firstToken, Span<int> tables, int stride)
    {
        source.Read(row, _row);
        var documents = source.Documents(row);
        if (_wholeRows && documents?.Count > 1)
        {
            throw new UserErrorException(
                $"row {row} holds {documents.Count} documents, and attention by cuDNN is for rows of one each: plan with --attention own"
            );
        }

        CheckPairs(source, row, documents);
        bool masked = source.ReadMask(row, _mask);
        ReadWeights(source, row);
        int inputs = source.InputsOf(row);
        int counted = 0;
        int begin = 0;
        for (int d = 0; begin < inputs; d++)
        {
            int end = documents is null ? inputs : begin + documents[d];
            int sequence = (int)(firstToken / _seqlen * _sequencesOfRow) + d;
            CheckWithinGroup(row, firstToken + begin, firstToken + end);
            for (int i = begin; i < end; i++)
            {
                bool counts = (documents is null || i < end - 1) && !(masked && _mask[i] == 0) && _weights[i] != 0;
                counted += counts ? 1 : 0;
                WeightSum += counts ? _weights[i] : 0;
                PutWeight(tables, stride, firstToken + i, counts ? _weights[i] : 0);
                PutSequence(tables, stride, firstToken + i, sequence);
                CountInSequence(sequence, counts);
                Put(tables, stride, firstToken + i, _row[i], counts ? _row[i + 1] : NotCounted, (firstToken + begin, end - begin));
            }

            begin = end;
        }

        for (int i = inputs; i < _seqlen; i++)
        {
            Put(tables, stride, firstToken + i, id: 0, NotCounted, (firstToken + i, 1));
            PutWeight(tables, stride, firstToken + i, 0);
            PutSequence(tables, stride, firstToken + i, NotCounted);
        }

        return counted;
    }

    /// <summary>A loss of pairs has to have pairs, and each of their documents something to compare.</summary>
    private void CheckPairs(ITokenSource source, int row, IReadOnlyList<int>? documents)
    {
        if (source.HasPairs != _sequencesArray is not null)
        {
            throw new InvalidOperationException(
                $"the rows {(source.HasPairs ? "are" : "are not")} of pairs, and the step was planned otherwise: ask for Pairs");
        }

        if (source.HasPairs && (documents is null || documents.Count % 2 != 0 || documents.Any(d => d < PairTable.LeastTokens / 2)))
        {
            throw new UserErrorException(
                $"row {row} does not consist of pairs of documents of at least {PairTable.LeastTokens / 2} tokens each; give whole pairs");
        }
    }

    private void ReadWeights(ITokenSource source, int row)
    {
        _weights.AsSpan().Fill(1);
        if (!source.HasWeights)
        {
            return;
        }

        if (_weightsArray is null)
        {
            throw new InvalidOperationException("the targets have weights, and the step was planned without: ask for TargetWeights");
        }

        source.ReadWeights(row, _weights);
        if (_weights.AsSpan().IndexOfAnyExceptInRange(float.MinValue, float.MaxValue) is >= 0 and var target)
        {
            throw new UserErrorException($"the weight of target {target} of row {row} is {_weights[target]}; give a finite number");
        }
    }

    private void PutWeight(Span<int> tables, int stride, long token, float weight)
    {
        if (_weightsArray is { } array)
        {
            var (chunk, index) = Math.DivRem(token, _chunkTokens);
            tables[(int)((chunk * stride) + ((long)array * _chunkTokens) + index)] = BitConverter.SingleToInt32Bits(weight);
        }
    }

    private void PutSequence(Span<int> tables, int stride, long token, int sequence)
    {
        if (_sequencesArray is { } array)
        {
            var (chunk, index) = Math.DivRem(token, _chunkTokens);
            tables[(int)((chunk * stride) + ((long)array * _chunkTokens) + index)] = sequence;
        }
    }

    private void CountInSequence(int sequence, bool counts)
    {
        if (_sequencesArray is not null && counts)
        {
            _targetsOf[sequence]++;
        }
    }

    private void CheckWithinGroup(int row, long begin, long end)
    {
        long window = (long)_chunksPerGroup * _chunkTokens;
        if (begin / window != (end - 1) / window)
        {
            throw new InvalidOperationException(
                $"a document of row {row} reaches from window group {begin / window} into {(end - 1) / window}: its tokens {begin} to "
                    + $"{end - 1} of the round do not lie in one window of {window}"
            );
        }
    }

    private int WindowRow(long token) => (int)(token % ((long)_chunksPerGroup * _chunkTokens));

    private void Put(Span<int> tables, int stride, long token, int id, int target, (long Begin, int Length) document)
    {
        int firstKey = WindowRow(document.Begin);
        int chunk = (int)(token / _chunkTokens);
        int index = (int)(token % _chunkTokens);
        var table = tables.Slice(chunk * stride, TableInts);
        table[(ChunkTable.IdsArray * _chunkTokens) + index] = id;
        table[(ChunkTable.TargetsArray * _chunkTokens) + index] = target;
        table[(ChunkTable.FirstKeysArray * _chunkTokens) + index] = firstKey;
        for (int w = 0; w < _windows.Length; w++)
        {
            table[((ChunkTable.WindowsArray + w) * _chunkTokens) + index] = Math.Max(firstKey, WindowRow(token) - _windows[w] + 1);
        }

        if (_countsPositions)
        {
            table[(PositionsArray * _chunkTokens) + index] = WindowRow(token) - firstKey;
        }

        for (int r = 0; r < _rotary.Count; r++)
        {
            table[((RotaryArray + r) * _chunkTokens) + index] = _rotary[r].SetOf(table, chunk, document.Begin, document.Length);
        }
    }

    /// <summary>Fills an array with the token numbers sorted by what another one says of them, equal ones by number.</summary>
    private void Sort(Span<int> table, int keysArray, int orderArray, int? leftOut)
    {
        var keys = table.Slice(keysArray * _chunkTokens, _chunkTokens);
        int count = 0;
        for (int i = 0; i < _chunkTokens; i++)
        {
            if (keys[i] != leftOut)
            {
                _sortKeys[count++] = ((long)keys[i] << 32) | (uint)i;
            }
        }

        _sortKeys.AsSpan(0, count).Sort();
        var order = table.Slice(orderArray * _chunkTokens, _chunkTokens);
        for (int i = 0; i < count; i++)
        {
            order[i] = (int)_sortKeys[i];
        }

        order[count.._chunkTokens].Fill(-1);
    }
}
