using System.Runtime.Intrinsics;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>What jobs of a recurrence read.</summary>
internal readonly unsafe struct RecurrenceInput
{
    private const double Added = 1e-6;

    private readonly Matrix channels, gates, decay, stepBias;
    private readonly Matrix? skip;
    private readonly int* firstKey;
    private readonly int row;

    public RecurrenceInput(
        Recurrence shape, in Tensor channels, in Tensor gates, in Tensor decay, in Tensor stepBias, in Tensor? skip, in ChunkContext at)
    {
        this.skip = Matrix.Of(skip);
        this.skip?.Expect(1, shape.Heads, nameof(skip));
        (Shape, this.channels, this.gates) = (shape, new(channels), new(gates));
        (this.decay, this.stepBias) = (new(decay), new(stepBias));
        this.channels.Expect(channels.Rows, shape.Channels, nameof(channels));
        this.gates.Expect(channels.Rows, shape.Gates, nameof(gates));
        this.decay.Expect(1, shape.Heads, nameof(decay));
        this.stepBias.Expect(1, shape.Heads, nameof(stepBias));
        firstKey = (int*)at.FirstKey;
        row = at.Row;
    }

    public Recurrence Shape { get; }

    public int Tokens => channels.Rows;

    public int Blocks => (Tokens + RecurrenceBlock.Rows - 1) / RecurrenceBlock.Rows;

    /// <summary>Value heads that share a key head.</summary>
    public int Group => Shape.Heads / Shape.KeyHeads;

    /// <summary>Column of a key head's query; its key is a key width further.</summary>
    public int QueryColumn(int keyHead) => keyHead * Shape.KeyDim;

    /// <summary>Column of a head's value.</summary>
    public int ValueColumn(int head) => (2 * Shape.KeyWidth) + (head * Shape.ValueDim);

    /// <summary>The first token of a token's document, counted from the chunk's first.</summary>
    public int FirstOf(int token) => firstKey[token] - row;

    /// <summary>Copies a token's query or key; returns 1 / sqrt(sum x^2 + 1e-6).</summary>
    public float Load(int token, int column, float* to, int width)
    {
        Row from = new(channels, token, column);
        Vector512<float> squares = default;
        for (int j = 0; j < width; j += Lanes.Count)
        {
            Vector512<float> x = from.Load(j, width - j);
            x.Store(to + j);
            squares = Vector512.FusedMultiplyAdd(x, x, squares);
        }

        return (float)(1 / Math.Sqrt(Lanes.Sum(squares) + Added));
    }

    public float BetaAt(int token, int head) => Element(gates, token, head);

    /// <summary>What says how far a token's step goes, before it is made positive.</summary>
    public float StepAt(int token, int head) => Element(gates, token, Shape.Gates - Shape.Heads + head) + Element(stepBias, 0, head);

    /// <summary>A step within its bounds.</summary>
    public double Bounded(double step) => Math.Clamp(step, Shape.LeastStep, Shape.MostStep ?? double.PositiveInfinity);

    /// <summary>By what a head's values are added to its result.</summary>
    public float SkipOf(int head) => skip is { } some ? Element(some, 0, head) : 0;

    /// <summary>How fast a head's state decays.</summary>
    public double RateOf(int head) => Math.Exp(Element(decay, 0, head));

    private static float Element(in Matrix of, int row, int column) => new Row(of, row, column).Load(0, 1)[0];
}

/// <summary>
/// A block of tokens of one value head in a worker's memory. Row i is the block's token i; G_i is the sum of the logarithms of decay up to
/// it, D_is = exp(G_i - G_s) where s and i are of one document, else 0, and d_i = exp(G_i) where i's document began before the block, else
/// 0. With the state S before the block: z_i = v_i - d_i S^T k_i - the sum over s below i of D_is (k_i k_s) e_s, e_i = beta_i z_i,
/// y_i = d_i S^T q_i + the sum over s up to i of D_is (q_i k_s) e_s, and after it S = d_last S + the sum over s of D_last,s k_s e_s^T. In a
/// state space z = v, and skip v joins y.
/// </summary>
internal unsafe struct RecurrenceBlock
{
    /// <summary>Most tokens of a block.</summary>
    public const int Rows = KernelWorkspace.RecurrenceRows;

    private readonly RecurrenceInput input;
    private float* next;

    public RecurrenceBlock(in RecurrenceInput input, byte* memory)
    {
        this.input = input;
        next = (float*)memory;
        (Keys, Values) = (Whole(input.Shape.KeyDim), Whole(input.Shape.ValueDim));
        G = (double*)Take(2 * Rows);
        Query = Take(Rows * Keys);
        Key = Take(Rows * Keys);
        KeyAcross = Take(Keys * Rows);
        Value = Take(Rows * Values);
        Z = Take(Rows * Values);
        E = Take(Rows * Values);
        Decays = Take(Rows * Rows);
        KeyProducts = Take(Rows * Rows);
        QueryProducts = Take(Rows * Rows);
        Beta = Take(Rows);
        FromState = Take(Rows);
        ToLast = Take(Rows);
        QueryRoot = Take(Rows);
        KeyRoot = Take(Rows);
        Correction = Take(Rows * Rows);
    }

    /// <summary>Width of a key in whole vectors, and of a value.</summary>
    public int Keys { get; }

    public int Values { get; }

    /// <summary>The first token, and how many there are.</summary>
    public int First { get; private set; }

    public int Count { get; private set; }

    public double* G { get; }

    /// <summary>[Rows, Keys], of length 1, queries times their scale.</summary>
    public float* Query { get; }

    public float* Key { get; }

    /// <summary>[Keys, Rows].</summary>
    public float* KeyAcross { get; }

    /// <summary>[Rows, Values].</summary>
    public float* Value { get; }

    public float* Z { get; }

    public float* E { get; }

    /// <summary>[Rows, Rows] D_is.</summary>
    public float* Decays { get; }

    /// <summary>[Rows, Rows] k_i k_s.</summary>
    public float* KeyProducts { get; }

    /// <summary>[Rows, Rows] D_is (q_i k_s).</summary>
    public float* QueryProducts { get; }

    /// <summary>[Rows, Rows] -D_is (k_i k_s).</summary>
    public float* Correction { get; }

    public float* Beta { get; }

    /// <summary>d_i.</summary>
    public float* FromState { get; }

    /// <summary>D_last,i.</summary>
    public float* ToLast { get; }

    public float* QueryRoot { get; }

    public float* KeyRoot { get; }

    public readonly float Scale => (float)(1 / Math.Sqrt(input.Shape.KeyDim));

    /// <summary>So many floats of the worker's memory.</summary>
    public float* Take(int count)
    {
        float* taken = next;
        next += Whole(count);
        return taken;
    }

    /// <summary>Queries and keys of a key head; they are those of all its value heads.</summary>
    public void LoadKeys(int keyHead, int block)
    {
        First = block * Rows;
        Count = Math.Min(Rows, input.Tokens - First);
        int column = input.QueryColumn(keyHead), width = input.Shape.KeyDim;
        new Span<float>(KeyAcross, Keys * Rows).Clear();
        for (int i = 0; i < Count; i++)
        {
            QueryRoot[i] = input.Load(First + i, column, Query + (i * Keys), width);
            KeyRoot[i] = input.Load(First + i, column + input.Shape.KeyWidth, Key + (i * Keys), width);
            if (input.Shape.Corrects)
            {
                RowSums.Scale(Query + (i * Keys), Keys, QueryRoot[i] * Scale);
                RowSums.Scale(Key + (i * Keys), Keys, KeyRoot[i]);
            }
        }

        RowSums.Transpose(Key, Count, Keys, Keys, KeyAcross, Rows);
        for (int i = 0; i < Count; i++)
        {
            RowSums.Run(Keys, Key + (i * Keys), 1, KeyAcross, Rows, KeyProducts + (i * Rows), Rows, Start.Zero);
        }
    }

    /// <summary>Values and gates of a head, and what follows from them.</summary>
    public readonly void LoadValues(int head)
    {
        double rate = input.RateOf(head), sum = 0;
        for (int i = 0; i < Count; i++)
        {
            double step = SoftPlus(input.StepAt(First + i, head));
            step = input.Shape.Corrects ? step : input.Bounded(step);
            Beta[i] = (float)(input.Shape.Corrects ? input.Shape.Correction * Sigmoid(input.BetaAt(First + i, head)) : step);
            sum -= rate * step;
            G[i] = sum;
            input.Load(First + i, input.ValueColumn(head), Value + (i * Values), input.Shape.ValueDim);
        }

        for (int i = 0; i < Count; i++)
        {
            int first = input.FirstOf(First + i) - First;
            float* decays = Decays + (i * Rows);
            FromState[i] = first < 0 ? (float)Math.Exp(G[i]) : 0;
            for (int s = 0; s < Rows; s++)
            {
                decays[s] = s >= first && s <= i ? (float)(G[i] - G[s]) : float.NegativeInfinity;
            }

            for (int s = 0; s < Rows; s += Lanes.Count)
            {
                Vector512<float> decay = VectorMath.Exp(Vector512.Load(decays + s));
                decay.Store(decays + s);
                Vector512<float> corrected = input.Shape.Corrects ? -decay * Vector512.Load(KeyProducts + (i * Rows) + s) : default;
                corrected.Store(Correction + (i * Rows) + s);
            }
        }

        new ReadOnlySpan<float>(Decays + ((Count - 1) * Rows), Rows).CopyTo(new Span<float>(ToLast, Rows));
    }

    /// <summary>z and e.</summary>
    public readonly void Solve(float* state)
    {
        for (int i = 0; i < Count; i++)
        {
            float* z = Z + (i * Values), e = E + (i * Values);
            int read = input.Shape.Corrects ? input.Shape.KeyDim : 0;
            RowSums.Run(read, Key + (i * Keys), 1, state, Values, z, Values, Start.Zero);
            for (int j = 0; j < Values; j += Lanes.Count)
            {
                Vector512.FusedMultiplyAdd(Vector512.Create(-FromState[i]), Vector512.Load(z + j), Vector512.Load(Value + (i * Values) + j))
                    .Store(z + j);
            }

            RowSums.Run(input.Shape.Corrects ? i : 0, Correction + (i * Rows), 1, E, Values, z, Values, Start.Tile);
            for (int j = 0; j < Values; j += Lanes.Count)
            {
                (Vector512.Load(z + j) * Vector512.Create(Beta[i])).Store(e + j);
            }
        }
    }

    /// <summary>Products of queries and keys, with their decay.</summary>
    public readonly void MeetKeys()
    {
        for (int i = 0; i < Count; i++)
        {
            float* products = QueryProducts + (i * Rows);
            RowSums.Run(Keys, Query + (i * Keys), 1, KeyAcross, Rows, products, Rows, Start.Zero);
            for (int s = 0; s < Rows; s += Lanes.Count)
            {
                (Vector512.Load(products + s) * Vector512.Load(Decays + (i * Rows) + s)).Store(products + s);
            }
        }
    }

    /// <summary>y of a token.</summary>
    public readonly void Read(int i, int head, float* state, float* y)
    {
        RowSums.Run(input.Shape.KeyDim, Query + (i * Keys), 1, state, Values, y, Values, Start.Zero);
        RowSums.Scale(y, Values, FromState[i]);
        RowSums.Run(i + 1, QueryProducts + (i * Rows), 1, E, Values, y, Values, Start.Tile);
        RowSums.Add(y, Value + (i * Values), input.SkipOf(head), Values);
    }

    /// <summary>The state after the block in place of that before it.</summary>
    public readonly void Advance(float* state)
    {
        float* by = stackalloc float[Rows];
        for (int a = 0; a < input.Shape.KeyDim; a++)
        {
            for (int s = 0; s < Rows; s += Lanes.Count)
            {
                (Vector512.Load(KeyAcross + (a * Rows) + s) * Vector512.Load(ToLast + s)).Store(by + s);
            }

            RowSums.Scale(state + (a * Values), Values, FromState[Count - 1]);
            RowSums.Run(Count, by, 1, E, Values, state + (a * Values), Values, Start.Tile);
        }
    }

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    /// <summary>ln(1 + exp(x)).</summary>
    public static double SoftPlus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    private static int Whole(int count) => (count + Lanes.Count - 1) / Lanes.Count * Lanes.Count;
}
