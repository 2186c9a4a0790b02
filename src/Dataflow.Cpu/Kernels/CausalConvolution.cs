using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// y = silu(conv(x) + bias), conv causal, each column by its own taps, within documents. fp32 arithmetic, each output rounded once; what
/// comes before the chunk is kept in fp32, which holds any x as it is.
/// </summary>
public static unsafe class CausalConvolution
{
    /// <summary>Tokens of a job.</summary>
    private const int BlockRows = 32;

    /// <summary>Rows of the taps' gradient summed in fp32 before they join a double: part of the definition.</summary>
    private const int TapRows = 32;

    /// <summary>Overwrites y and the state, of which what lies behind its rows becomes 0.</summary>
    public static void Forward(ThreadTeam team, in CausalConvolutionForwardArguments call)
    {
        Shape shape = new(call.X, call.Taps, call.Bias, call.At, call.Before);
        Matrix y = new(call.Y);
        y.Expect(shape.Tokens, shape.Columns, nameof(call.Y));
        team.For(Blocks(shape.Tokens, BlockRows), new ForwardJob(shape, y));
        if (call.After is { } after)
        {
            new Span<byte>((void*)(after.Address + (nuint)after.Bytes), checked((int)(call.AfterBytes - after.Bytes))).Clear();
            team.For(1, new StateJob(shape, new Matrix(after)));
        }
    }

    /// <summary>
    /// With s = dy silu'(conv): dx[p] = the sum over tokens t = p + j of p's document of taps[K - 1 - j] s[t], plus what a later chunk left
    /// of the state's gradient; dtaps[K - 1 - j] (+)= the sum over t of s[t] x[t - j], in a fixed order.
    /// </summary>
    public static void Backward(ThreadTeam team, in CausalConvolutionBackwardArguments call)
    {
        Shape shape = new(call.X, call.Taps, call.Bias, call.At, call.Before);
        Matrix dy = new(call.GradY), dx = new(call.GradX);
        Matrix? after = Matrix.Of(call.GradAfter), before = Matrix.Of(call.GradBefore);
        dy.Expect(shape.Tokens, shape.Columns, nameof(call.GradY));
        dx.Expect(shape.Tokens, shape.Columns, nameof(call.GradX));
        team.For(Blocks(shape.Tokens, BlockRows), new InputJob(shape, dy, after, before, dx));
        Matrix? taps = Matrix.Of(call.GradTaps), bias = Matrix.Of(call.GradBias);
        if (taps is not null || bias is not null)
        {
            taps?.Expect(shape.Columns, shape.Taps, nameof(call.GradTaps));
            bias?.Expect(1, shape.Columns, nameof(call.GradBias));
            team.For(Blocks(shape.Columns, Lanes.Count), new TapJob(shape, dy, taps, bias, call.AccumulateTaps));
        }
    }

    private static int Blocks(int count, int size) => (count + size - 1) / size;

    /// <summary>What all jobs read.</summary>
    private readonly struct Shape
    {
        private readonly Matrix x, taps;
        private readonly Matrix? bias, before;
        private readonly int* firstKey;
        private readonly int row;

        public Shape(in Tensor x, in Tensor taps, in Tensor? bias, in ChunkContext at, in Tensor? before)
        {
            (this.x, this.taps) = (new(x), new(taps));
            (Tokens, Columns, Taps) = (this.x.Rows, this.taps.Rows, this.taps.Columns);
            this.x.Expect(Tokens, Columns, nameof(x));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(Taps, Lanes.Count, nameof(taps));
            (this.bias, this.before) = (Matrix.Of(bias), Matrix.Of(before));
            firstKey = (int*)at.FirstKey;
            row = at.Row;
        }

        public int Tokens { get; }

        public int Columns { get; }

        public int Taps { get; }

        /// <summary>The first token of a token's document, counted from the chunk's first; below 0 it is in an earlier chunk.</summary>
        public int FirstOf(int token) => firstKey[token] - row;

        /// <summary>x of a token, or, below 0, of one before the chunk.</summary>
        public Vector512<float> X(int token, int j, int lanes) =>
            token >= 0 ? new Row(x, token).Load(j, lanes)
            : before is { } state ? new Row(state, token + Taps - 1).Load(j, lanes)
            : default;

        /// <summary>Taps of sixteen columns.</summary>
        public void LoadTaps(int j, int lanes, Vector512<float>* into) => ColumnTaps.Load(taps, j, lanes, into);

        /// <summary>The convolution at a token.</summary>
        public Vector512<float> At(int token, int j, int lanes, Vector512<float>* by)
        {
            Vector512<float> sum = bias is { } start ? new Row(start, 0).Load(j, lanes) : default;
            for (int back = Math.Min(Taps - 1, token - FirstOf(token)); back >= 0; back--)
            {
                sum = Vector512.FusedMultiplyAdd(by[Taps - 1 - back], X(token - back, j, lanes), sum);
            }

            return sum;
        }

        /// <summary>The gradient of the convolution at a token.</summary>
        public Vector512<float> Slope(int token, int j, int lanes, Vector512<float>* by, in Matrix dy) =>
            new Row(dy, token).Load(j, lanes) * Silu.At(At(token, j, lanes, by)).Slope;
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
                    new Row(y, t).Store(j, Silu.At(shape.At(t, j, lanes, by)).Value, lanes);
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
                for (int j = 0; j < state.Columns; j += Lanes.Count)
                {
                    int lanes = state.Columns - j;
                    new Row(state, r).Store(j, shape.X(shape.Tokens - state.Rows + r, j, lanes), lanes);
                }
            }
        }
    }

    /// <summary>dx of a block; the first block writes that of the tokens before the chunk, too.</summary>
    private readonly struct InputJob(Shape shape, Matrix dy, Matrix? after, Matrix? before, Matrix dx) : IJob
    {
        public void Run(int index, int worker)
        {
            Vector512<float>* by = stackalloc Vector512<float>[Lanes.Count];
            Vector512<float>* slopes = stackalloc Vector512<float>[BlockRows + Lanes.Count];
            int k = shape.Taps, begin = index * BlockRows, end = Math.Min(shape.Tokens, begin + BlockRows);
            int last = Math.Min(shape.Tokens, end + k - 1);
            for (int j = 0; j < shape.Columns; j += Lanes.Count)
            {
                int lanes = shape.Columns - j;
                shape.LoadTaps(j, lanes, by);
                for (int t = begin; t < last; t++)
                {
                    slopes[t - begin] = shape.Slope(t, j, lanes, by, dy);
                }

                for (int t = begin; t < end; t++)
                {
                    new Row(dx, t).Store(j, Gradient(t, j, lanes, by, slopes - begin), lanes);
                }

                if (begin == 0 && before is { } state)
                {
                    for (int r = 0; r < state.Rows; r++)
                    {
                        new Row(state, r).Store(j, Gradient(r - state.Rows, j, lanes, by, slopes), lanes);
                    }
                }
            }
        }

        private Vector512<float> Gradient(int token, int j, int lanes, Vector512<float>* by, Vector512<float>* slopes)
        {
            int kept = token - (shape.Tokens - shape.Taps + 1);
            Vector512<float> sum = kept >= 0 && after is { } left ? new Row(left, kept).Load(j, lanes) : default;
            for (int ahead = Math.Max(0, -token); ahead < shape.Taps && token + ahead < shape.Tokens; ahead++)
            {
                if (token >= shape.FirstOf(token + ahead))
                {
                    sum = Vector512.FusedMultiplyAdd(by[shape.Taps - 1 - ahead], slopes[token + ahead], sum);
                }
            }

            return sum;
        }
    }

    private readonly struct TapJob(Shape shape, Matrix dy, Matrix? taps, Matrix? bias, bool accumulate) : IJob
    {
        public void Run(int index, int worker)
        {
            int j = index * Lanes.Count, lanes = shape.Columns - j, k = shape.Taps;
            Vector512<float>* by = stackalloc Vector512<float>[Lanes.Count];
            Vector512<float>* sums = stackalloc Vector512<float>[Lanes.Count];
            double* all = stackalloc double[ColumnTaps.Sums];
            new Span<double>(all, ColumnTaps.Sums).Clear();
            Vector512<double> low = default, high = default;
            shape.LoadTaps(j, lanes, by);
            for (int first = 0; first < shape.Tokens; first += TapRows)
            {
                new Span<Vector512<float>>(sums, Lanes.Count).Clear();
                Vector512<float> slopes = default;
                int end = Math.Min(shape.Tokens, first + TapRows);
                for (int t = first; t < end; t++)
                {
                    Vector512<float> slope = shape.Slope(t, j, lanes, by, dy);
                    slopes += slope;
                    for (int back = Math.Min(k - 1, t - shape.FirstOf(t)); back >= 0; back--)
                    {
                        sums[k - 1 - back] = Vector512.FusedMultiplyAdd(slope, shape.X(t - back, j, lanes), sums[k - 1 - back]);
                    }
                }

                ColumnTaps.Add(sums, k, all);
                low += Vector512.WidenLower(slopes);
                high += Vector512.WidenUpper(slopes);
            }

            if (taps is { } ofTaps)
            {
                ColumnTaps.Store(all, ofTaps, j, lanes, accumulate);
            }

            if (bias is { } ofBias)
            {
                RowSums.Store(low, high, new Row(ofBias, 0, j), lanes, accumulate);
            }
        }
    }
}
