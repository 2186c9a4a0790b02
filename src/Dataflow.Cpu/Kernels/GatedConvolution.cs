using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// y = c conv(b h), conv causal, each column by its own taps, within documents (LFM2's short convolution). u = b h is rounded to its
/// type wherever it is used, so that a token finds the same of those before it in its chunk as in the state that an earlier chunk left.
/// fp32 arithmetic, each output rounded once.
/// </summary>
public static unsafe class GatedConvolution
{
    /// <summary>Tokens of a job.</summary>
    private const int BlockRows = 16;

    /// <summary>Rows of the taps' gradient summed in fp32 before they join a double: part of the definition.</summary>
    private const int TapRows = 32;

    /// <summary>Overwrites y and the state.</summary>
    public static void Forward(ThreadTeam team, in GatedConvolutionForwardArguments call)
    {
        Shape shape = new(call.X, call.Taps, call.At, call.Before);
        if (Matrix.Of(call.Y) is { } y)
        {
            y.Expect(shape.Tokens, shape.Columns, nameof(call.Y));
            team.For((shape.Tokens + BlockRows - 1) / BlockRows, new ForwardJob(shape, y));
        }

        if (call.After is { } after)
        {
            new Span<byte>((void*)(after.Address + (nuint)after.Bytes), checked((int)(call.AfterBytes - after.Bytes))).Clear();
            team.For(1, new StateJob(shape, new Matrix(after)));
        }
    }

    /// <summary>
    /// With v = dy c: dc = dy conv, du[p] = the sum over tokens t = p + j of p's document of taps[K - 1 - j] v[t], plus what a later chunk
    /// left of the state's gradient; db = du h, dh = du b; dtaps[K - 1 - j] (+)= the sum over t of v[t] u[t - j], in a fixed order.
    /// </summary>
    public static void Backward(ThreadTeam team, in GatedConvolutionBackwardArguments call)
    {
        Shape shape = new(call.X, call.Taps, call.At, call.Before);
        Matrix dy = new(call.GradY), dx = new(call.GradX);
        Matrix? after = Matrix.Of(call.GradAfter);
        dy.Expect(shape.Tokens, shape.Columns, nameof(call.GradY));
        dx.Expect(shape.Tokens, 3 * shape.Columns, nameof(call.GradX));
        if (!call.Accumulate)
        {
            new Span<byte>((void*)call.GradStates.Address, checked((int)call.GradStates.Bytes)).Clear();
        }

        team.For((shape.Tokens + BlockRows - 1) / BlockRows, new InputJob(shape, dy, after, dx));
        if (Matrix.Of(call.GradBefore) is { } before)
        {
            team.For(1, new BeforeJob(shape, dy, after, before));
        }

        if (Matrix.Of(call.GradTaps) is { } taps)
        {
            taps.Expect(shape.Columns, shape.Taps, nameof(call.GradTaps));
            team.For((shape.Columns + Lanes.Count - 1) / Lanes.Count, new TapJob(shape, dy, taps, call.AccumulateTaps));
        }
    }

    /// <summary>What all jobs read.</summary>
    private readonly struct Shape
    {
        private readonly Matrix b, h, taps;
        private readonly Matrix? before;
        private readonly int* firstKey;
        private readonly int row;

        public Shape(in Tensor x, in Tensor taps, in ChunkContext at, in Tensor? before)
        {
            Matrix all = new(x);
            this.taps = new(taps);
            (Tokens, Columns, Taps) = (all.Rows, this.taps.Rows, this.taps.Columns);
            all.Expect(Tokens, 3 * Columns, nameof(x));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(Taps, Lanes.Count, nameof(taps));
            (b, C, h) = (all.ColumnRange(0, Columns), all.ColumnRange(Columns, Columns), all.ColumnRange(2 * Columns, Columns));
            this.before = Matrix.Of(before);
            firstKey = (int*)at.FirstKey;
            row = at.Row;
        }

        public int Tokens { get; }

        public int Columns { get; }

        public int Taps { get; }

        /// <summary>What the result is gated by.</summary>
        public Matrix C { get; }

        public Row B(int token) => new(b, token);

        public Row H(int token) => new(h, token);

        /// <summary>The first token of a token's document, counted from the chunk's first; below 0 it is in an earlier chunk.</summary>
        public int FirstOf(int token) => firstKey[token] - row;

        /// <summary>u of a token, or, below 0, of one before the chunk.</summary>
        public Vector512<float> U(int token, int j, int lanes)
        {
            if (token < 0)
            {
                return before is { } state ? new Row(state, token + Taps - 1).Load(j, lanes) : default;
            }

            Vector512<float> u = B(token).Load(j, lanes) * H(token).Load(j, lanes);
            return b.Type == DType.Float32 ? u : Lanes.Widen(Lanes.Narrow(u));
        }

        /// <summary>Taps of sixteen columns.</summary>
        public void LoadTaps(int j, int lanes, Vector512<float>* into) => ColumnTaps.Load(taps, j, lanes, into);

        /// <summary>The convolution at a token.</summary>
        public Vector512<float> At(int token, int j, int lanes, Vector512<float>* by)
        {
            Vector512<float> sum = default;
            for (int back = Math.Min(Taps - 1, token - FirstOf(token)); back >= 0; back--)
            {
                sum = Vector512.FusedMultiplyAdd(by[Taps - 1 - back], U(token - back, j, lanes), sum);
            }

            return sum;
        }

        /// <summary>The gradient of u of a token, or of one before the chunk.</summary>
        public Vector512<float> GradU(int token, int j, int lanes, Vector512<float>* by, in Matrix dy, in Matrix? after)
        {
            int kept = token - (Tokens - Taps + 1);
            Vector512<float> sum = kept >= 0 && after is { } left ? new Row(left, kept).Load(j, lanes) : default;
            for (int ahead = Math.Max(0, -token); ahead < Taps && token + ahead < Tokens; ahead++)
            {
                int t = token + ahead;
                if (token >= FirstOf(t))
                {
                    Vector512<float> v = new Row(dy, t).Load(j, lanes) * new Row(C, t).Load(j, lanes);
                    sum = Vector512.FusedMultiplyAdd(by[Taps - 1 - ahead], v, sum);
                }
            }

            return sum;
        }
    }

    private readonly struct ForwardJob(Shape shape, Matrix y) : IJob
    {
        public void Run(int index, int worker)
        {
            Vector512<float>* by = stackalloc Vector512<float>[Lanes.Count];
            int end = Math.Min(shape.Tokens, (index + 1) * BlockRows);
            for (int j = 0; j < shape.Columns; j += Lanes.Count)
            {
                int lanes = shape.Columns - j;
                shape.LoadTaps(j, lanes, by);
                for (int t = index * BlockRows; t < end; t++)
                {
                    new Row(y, t).Store(j, new Row(shape.C, t).Load(j, lanes) * shape.At(t, j, lanes, by), lanes);
                }
            }
        }
    }

    private readonly struct StateJob(Shape shape, Matrix state) : IJob
    {
        public void Run(int index, int worker)
        {
            for (int r = 0; r < state.Rows; r++)
            {
                int token = shape.Tokens - state.Rows + r;
                for (int j = 0; j < shape.Columns; j += Lanes.Count)
                {
                    new Row(state, r).Store(j, shape.U(token, j, shape.Columns - j), shape.Columns - j);
                }
            }
        }
    }

    private readonly struct InputJob(Shape shape, Matrix dy, Matrix? after, Matrix dx) : IJob
    {
        public void Run(int index, int worker)
        {
            Vector512<float>* by = stackalloc Vector512<float>[Lanes.Count];
            int end = Math.Min(shape.Tokens, (index + 1) * BlockRows);
            int d = shape.Columns;
            for (int j = 0; j < d; j += Lanes.Count)
            {
                int lanes = d - j;
                shape.LoadTaps(j, lanes, by);
                for (int t = index * BlockRows; t < end; t++)
                {
                    Vector512<float> du = shape.GradU(t, j, lanes, by, dy, after);
                    new Row(dx, t, 0).Store(j, du * shape.H(t).Load(j, lanes), lanes);
                    new Row(dx, t, d).Store(j, new Row(dy, t).Load(j, lanes) * shape.At(t, j, lanes, by), lanes);
                    new Row(dx, t, 2 * d).Store(j, du * shape.B(t).Load(j, lanes), lanes);
                }
            }
        }
    }

    private readonly struct BeforeJob(Shape shape, Matrix dy, Matrix? after, Matrix before) : IJob
    {
        public void Run(int index, int worker)
        {
            Vector512<float>* by = stackalloc Vector512<float>[Lanes.Count];
            for (int j = 0; j < shape.Columns; j += Lanes.Count)
            {
                int lanes = shape.Columns - j;
                shape.LoadTaps(j, lanes, by);
                for (int r = 0; r < before.Rows; r++)
                {
                    new Row(before, r).Store(j, shape.GradU(r - before.Rows, j, lanes, by, dy, after), lanes);
                }
            }
        }
    }

    private readonly struct TapJob(Shape shape, Matrix dy, Matrix taps, bool accumulate) : IJob
    {
        public void Run(int index, int worker)
        {
            int j = index * Lanes.Count, lanes = shape.Columns - j, k = shape.Taps;
            Vector512<float>* sums = stackalloc Vector512<float>[Lanes.Count];
            double* all = stackalloc double[ColumnTaps.Sums];
            new Span<double>(all, ColumnTaps.Sums).Clear();
            for (int first = 0; first < shape.Tokens; first += TapRows)
            {
                new Span<Vector512<float>>(sums, Lanes.Count).Clear();
                int end = Math.Min(shape.Tokens, first + TapRows);
                for (int t = first; t < end; t++)
                {
                    Vector512<float> v = new Row(dy, t).Load(j, lanes) * new Row(shape.C, t).Load(j, lanes);
                    for (int back = Math.Min(k - 1, t - shape.FirstOf(t)); back >= 0; back--)
                    {
                        sums[k - 1 - back] = Vector512.FusedMultiplyAdd(v, shape.U(t - back, j, lanes), sums[k - 1 - back]);
                    }
                }

                ColumnTaps.Add(sums, k, all);
            }

            ColumnTaps.Store(all, taps, j, lanes, accumulate);
        }
    }
}
