using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>What attention reads, with the sizes of its blocks; the blocks depend on the shape alone.</summary>
internal readonly unsafe struct AttentionShape
{
    /// <summary>Keys (or, for the gradient of keys, queries) that a job packs at a time; a multiple of every micro-kernel's rows.</summary>
    public const int StreamBlock = 96;

    /// <summary>Window rows whose key and value gradients a job computes; a multiple of every micro-kernel's columns.</summary>
    public const int WindowBlock = 128;

    /// <summary>Scratch memory holds this many head elements, padding counted, of each token of a query block.</summary>
    private const int MaxGroupElements = 16384;

    public AttentionShape(Matrix q, Matrix kv, int* firstKey, int rowOffset, int heads, int kvHeads, int headDim)
    {
        if (headDim is < 1 or > 256 || kvHeads < 1 || heads % kvHeads != 0 || heads / kvHeads * (headDim + 12) > MaxGroupElements)
        {
            throw new ArgumentException($"cannot attend with {heads} heads on {kvHeads} key/value heads of {headDim}", nameof(heads));
        }

        q.Expect(q.Rows, heads * headDim, nameof(q));
        kv.Expect(kv.Rows, 2 * kvHeads * headDim, nameof(kv));
        if (rowOffset < 0 || (long)rowOffset + q.Rows > kv.Rows)
        {
            throw new ArgumentException($"{q.Rows} tokens from window row {rowOffset} on do not fit {kv.Rows} rows", nameof(rowOffset));
        }

        (Q, Kv, RowOffset, KvHeads, HeadDim) = (q, kv, rowOffset, kvHeads, headDim);
        FirstKey = firstKey;
        Group = heads / kvHeads;
        Scale = (float)(1 / Math.Sqrt(headDim));
        QueryBlock = Math.Max(32, 128 / Group / 32 * 32);
    }

    public Matrix Q { get; }

    public Matrix Kv { get; }

    public int* FirstKey { get; }

    public int RowOffset { get; }

    public int KvHeads { get; }

    public int HeadDim { get; }

    /// <summary>Query heads of a key/value head.</summary>
    public int Group { get; }

    public float Scale { get; }

    /// <summary>Tokens of a query job, which takes all heads of the group; a multiple of every micro-kernel's columns.</summary>
    public int QueryBlock { get; }

    public int Tokens => Q.Rows;

    /// <summary>Window rows that exist for this chunk.</summary>
    public int WindowRows => RowOffset + Tokens;

    public int QueryBlocks => (Tokens + QueryBlock - 1) / QueryBlock;

    public int WindowBlocks => (WindowRows + WindowBlock - 1) / WindowBlock;

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
    public Vector512<float> SeesKey(int key, Vector512<int> first, int token)
    {
        Vector512<int> last = Vector512<int>.Indices + Vector512.Create(RowOffset + token);
        Vector512<int> at = Vector512.Create(key);
        return (Vector512.LessThanOrEqual(first, at) & Vector512.GreaterThanOrEqual(last, at)).AsSingle();
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
}
