using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>What attention reads, with the sizes of its blocks; the blocks depend on the shape alone.</summary>
internal readonly unsafe struct AttentionShape
{
    /// <summary>Keys (or, for the gradient of keys, queries) that a job packs at a time; a multiple of every micro-kernel's rows.</summary>
    public const int StreamBlock = 96;

    /// <summary>Window rows whose key and value gradients a job computes; a multiple of every micro-kernel's columns.</summary>
    public const int WindowBlock = 128;

    private const int WidestHead = 512;

    /// <summary>Scratch memory holds this many head elements, padding counted, of each token of a query block.</summary>
    private const int MaxGroupElements = 16384;

    private readonly int pieceRows;
    private readonly int* bases; // null: pieces are cut at places of the window
    private readonly float scale;
    private readonly float softcap; // 0: none

    public AttentionShape(in Tensor query, in WindowRows keys, ChunkContext at, HeadShape shape)
    {
        Matrix q = new(query), kv = new(keys.Kv);
        var (heads, kvHeads, headDim) = shape;
        int rowOffset = at.Row;
        Rows = (int*)at.Rows;
        bases = (int*)at.Bases;
        if (headDim is < 1 or > WidestHead || kvHeads < 1 || heads % kvHeads != 0 || heads / kvHeads * (headDim + 12) > MaxGroupElements)
        {
            throw new ArgumentException($"cannot attend with {heads} heads on {kvHeads} key/value heads of {headDim}", nameof(shape));
        }

        q.Expect(q.Rows, heads * headDim, nameof(query));
        kv.Expect(kv.Rows, 2 * kvHeads * headDim, nameof(keys));
        if (keys.PieceRows < 1 || keys.FirstRow < 0 || keys.FirstRow % keys.PieceRows != 0)
        {
            throw new ArgumentException($"row {keys.FirstRow} starts no piece of {keys.PieceRows} rows", nameof(keys));
        }

        if (Rows == null && (rowOffset < 0 || keys.FirstRow >= rowOffset + q.Rows))
        {
            throw new ArgumentException(
                $"{q.Rows} tokens from window row {rowOffset} on see no key from row {keys.FirstRow} on",
                nameof(at)
            );
        }

        (Q, Kv, RowOffset, KvHeads, HeadDim) = (q, kv, rowOffset, kvHeads, headDim);
        (FirstRow, pieceRows) = (keys.FirstRow, keys.PieceRows);
        EndRow = Rows == null ? (int)Math.Min((long)keys.FirstRow + kv.Rows, rowOffset + q.Rows) : keys.FirstRow + kv.Rows;
        FirstKey = (int*)at.FirstKey;
        Group = heads / kvHeads;
        (scale, softcap) = (shape.Scale, shape.Softcap ?? 0);
        QueryBlock = Math.Max(32, 128 / Group / 32 * 32);
    }

    public Matrix Q { get; }

    public Matrix Kv { get; }

    public int* FirstKey { get; }

    public int RowOffset { get; }

    /// <summary>Each token's own window row; null where they follow <see cref="RowOffset"/>, row after row.</summary>
    public int* Rows { get; }

    public int KvHeads { get; }

    public int HeadDim { get; }

    /// <summary>Query heads of a key/value head.</summary>
    public int Group { get; }

    /// <summary>Tokens of a query job, which takes all heads of the group; a multiple of every micro-kernel's columns.</summary>
    public int QueryBlock { get; }

    public int Tokens => Q.Rows;

    /// <summary>Queries, keys and values are bf16, so that their products can be those of pairs.</summary>
    public bool IsOfPairs => Q.Type == DType.BFloat16 && Kv.Type == DType.BFloat16;

    /// <summary>Window row of the first row at hand.</summary>
    public int FirstRow { get; }

    /// <summary>One past the last window row that is at hand and exists for this chunk.</summary>
    public int EndRow { get; }

    public int QueryBlocks => (Tokens + QueryBlock - 1) / QueryBlock;

    /// <summary>Jobs of the gradient of keys and values.</summary>
    public int KeyBlocks
    {
        get
        {
            int rows = EndRow - FirstRow;
            return (rows / pieceRows * KeyBlocksPerPiece) + (((rows % pieceRows) + WindowBlock - 1) / WindowBlock);
        }
    }

    private int KeyBlocksPerPiece => (pieceRows + WindowBlock - 1) / WindowBlock;

    /// <summary>First window row and number of rows of such a job.</summary>
    public (int Row, int Count) KeyBlock(int index)
    {
        int piece = FirstRow + (index / KeyBlocksPerPiece * pieceRows);
        int row = piece + (index % KeyBlocksPerPiece * WindowBlock);
        return (row, Math.Min(Math.Min(row + WindowBlock, piece + pieceRows), EndRow) - row);
    }

    /// <summary>Start of the first block of keys at hand that queries from <paramref name="token"/> on may see.</summary>
    public int FirstBlock(int token) => FirstBlock(token, origin: 0);

    /// <summary>The same where pieces are cut from a row on.</summary>
    public int FirstBlock(int token, int origin)
    {
        int row = Math.Max(FirstKey[token], FirstRow);
        int inPiece = (row - origin) % pieceRows;
        return row - inPiece + (inPiece / StreamBlock * StreamBlock);
    }

    /// <summary>One past the last key of the block that starts at <paramref name="row"/>: pieces end blocks.</summary>
    public int BlockEnd(int row, int origin = 0) => Math.Min(row + StreamBlock, row - ((row - origin) % pieceRows) + pieceRows);

    /// <summary>Throws unless all keys of the chunk are at hand.</summary>
    public void ExpectWhole()
    {
        if (FirstRow != 0 || (Rows == null && EndRow != RowOffset + Tokens))
        {
            throw new ArgumentException($"{Tokens} tokens from window row {RowOffset} on do not fit rows {FirstRow} to {EndRow}");
        }
    }

    /// <summary>How many tokens from one on, up to an end, are in window rows of one sequence that follow each other.</summary>
    public int RunFrom(int token, int end)
    {
        int next = token + 1;
        while (next < end && (Rows == null || (Rows[next] == Rows[next - 1] + 1 && bases[next] == bases[next - 1])))
        {
            next++;
        }

        return next - token;
    }

    /// <summary>
    /// The row from which pieces are cut for the run that begins at <paramref name="token"/>: its sequence's first, so that its results are
    /// those that it has alone; or the window's.
    /// </summary>
    public int OriginOf(int token) => bases == null ? 0 : OffsetOf(token) + bases[token];

    /// <summary>What is added to a token of a run that begins at <paramref name="token"/> to get its window row.</summary>
    public int OffsetOf(int token) => Rows == null ? RowOffset : Rows[token] - token;

    /// <summary>hd columns of key head <paramref name="kvHead"/>.</summary>
    public Matrix Keys(int kvHead) => Kv.ColumnRange(kvHead * HeadDim, HeadDim);

    /// <summary>hd columns of value head <paramref name="kvHead"/>.</summary>
    public Matrix Values(int kvHead) => Kv.ColumnRange((KvHeads + kvHead) * HeadDim, HeadDim);

    /// <summary>hd columns of query head <paramref name="head"/> of a matrix shaped like q.</summary>
    public Matrix Head(Matrix like, int head) => like.ColumnRange(head * HeadDim, HeadDim);

    /// <summary>The first token that attends to no row below <paramref name="row"/>; firstKey never decreases.</summary>
    public int FirstTokenPast(int row)
    {
        int low = 0;
        int high = Tokens;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (FirstKey[middle] >= row)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }

    /// <summary>
    /// All bits set where token lane <paramref name="token"/> + i attends to <paramref name="key"/>; first: their first keys.
    /// </summary>
    public Vector512<float> SeesKey(int key, Vector512<int> first, int token) => SeesKey(key, first, token, RowOffset);

    /// <summary>The same of a run of tokens whose window rows are that much more than their own number.</summary>
    public Vector512<float> SeesKey(int key, Vector512<int> first, int token, int offset)
    {
        Vector512<int> last = Vector512<int>.Indices + Vector512.Create(offset + token);
        Vector512<int> at = Vector512.Create(key);
        return (Vector512.LessThanOrEqual(first, at) & Vector512.GreaterThanOrEqual(last, at)).AsSingle();
    }

    /// <summary>Scores of products of queries and keys: scaled, and kept within the softcap where there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Score(Vector512<float> products)
    {
        Vector512<float> scores = products * Vector512.Create(scale);
        return softcap == 0 ? scores : VectorMath.Tanh(scores / Vector512.Create(softcap)) * Vector512.Create(softcap);
    }

    /// <summary>Gradients of the products, from those of their scores: the scale, and 1 - tanh^2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> ProductGradient(Vector512<float> gradients, Vector512<float> scores)
    {
        Vector512<float> scaled = gradients * Vector512.Create(scale);
        if (softcap == 0)
        {
            return scaled;
        }

        Vector512<float> tanh = scores / Vector512.Create(softcap);
        return scaled * Vector512.FusedMultiplyAdd(-tanh, tanh, Vector512<float>.One);
    }

    /// <summary>rowsum(dO o) of one token and head.</summary>
    public float Delta(in Matrix dO, in Matrix o, int token, int head)
    {
        Row gradient = new(dO, token, head * HeadDim);
        Row output = new(o, token, head * HeadDim);
        Vector512<float> sum = default;
        for (int j = 0; j < HeadDim; j += Lanes.Count)
        {
            int lanes = HeadDim - j;
            sum = Vector512.FusedMultiplyAdd(gradient.Load(j, lanes), output.Load(j, lanes), sum);
        }

        return Lanes.Sum(sum);
    }
}

/// <summary>What the backward reads and writes besides.</summary>
internal readonly unsafe struct AttentionGradients(Matrix o, float* lse, Matrix dO, Matrix dq, Matrix dkv, bool accumulate)
{
    public Matrix O { get; } = o;

    public float* Lse { get; } = lse;

    public Matrix DO { get; } = dO;

    public Matrix Dq { get; } = dq;

    public Matrix Dkv { get; } = dkv;

    public bool Accumulate { get; } = accumulate;

    /// <summary>dq holds the sum over the keys before those at hand.</summary>
    public bool DqContinues { get; init; }

    /// <summary>Throws unless the sizes fit.</summary>
    public void Expect(in AttentionShape shape)
    {
        O.Expect(shape.Tokens, shape.Q.Columns, nameof(O));
        DO.Expect(shape.Tokens, shape.Q.Columns, nameof(DO));
        Dq.Expect(shape.Tokens, shape.Q.Columns, nameof(Dq));
        if (Dkv.Type != DType.Float32 || Dkv.Rows < shape.EndRow - shape.FirstRow || Dkv.Columns != shape.Kv.Columns)
        {
            throw new ArgumentException(
                $"dkv is {Dkv.Type.Name()} {Dkv.Rows} x {Dkv.Columns}, expected fp32 with {shape.EndRow - shape.FirstRow} rows of "
                    + $"{shape.Kv.Columns}"
            );
        }
    }
}
