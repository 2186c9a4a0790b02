using System.Runtime.Intrinsics;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// The gradients of a block (<see cref="RecurrenceBlock"/>) of one value head after the other, in a worker's memory; those of query and key
/// add up over the value heads of a key head. Where f = dz, h_is = f_i e_s, j_is = dy_i e_s:
/// de_s = the sum over i from s on of D_is (q_i k_s) dy_i, plus D_last,s (dS^T k_s); f_i = beta_i (de_i - the sum over s behind i of D_si
/// (k_s k_i) f_s), and dv = f.
/// </summary>
internal readonly unsafe struct RecurrenceGradients
{
    private const int Rows = RecurrenceBlock.Rows;

    private readonly RecurrenceInput input;
    private readonly float* gradY, gradE, f, across, ofKeys, ofQueries, rows, stateAcross, gradStateAcross;
    private readonly double* ofG, beta;

    public RecurrenceGradients(in RecurrenceInput input, ref RecurrenceBlock block)
    {
        this.input = input;
        int keys = block.Keys, values = block.Values;
        ofG = (double*)block.Take(2 * Rows);
        beta = (double*)block.Take(2 * Rows);
        State = block.Take(keys * values);
        GradState = block.Take(keys * values);
        stateAcross = block.Take(values * keys);
        gradStateAcross = block.Take(values * keys);
        Query = block.Take(Rows * keys);
        Key = block.Take(Rows * keys);
        gradY = block.Take(Rows * values);
        gradE = block.Take(Rows * values);
        f = block.Take(Rows * values);
        across = block.Take(values * Rows);
        rows = block.Take(Math.Max(keys, Rows));
        ofKeys = block.Take(Rows * Rows);
        ofQueries = block.Take(Rows * Rows);
        OfDecay = (double*)block.Take(2 * input.Group);
        OfStepBias = (double*)block.Take(2 * input.Group);
        OfSkip = (double*)block.Take(2 * input.Group);

        // What lies behind keys that are no whole vectors stays 0.
        new Span<float>(stateAcross, values * keys).Clear();
        new Span<float>(gradStateAcross, values * keys).Clear();
        new Span<double>(OfDecay, input.Group).Clear();
        new Span<double>(OfStepBias, input.Group).Clear();
        new Span<double>(OfSkip, input.Group).Clear();
    }

    /// <summary>[key width, Values]: S before the block.</summary>
    public float* State { get; }

    /// <summary>The gradient of S after the block, and then of S before it.</summary>
    public float* GradState { get; }

    /// <summary>[Rows, Keys], of queries and keys of length 1.</summary>
    public float* Query { get; }

    public float* Key { get; }

    /// <summary>A sum over all tokens for each head of the group.</summary>
    public double* OfDecay { get; }

    public double* OfStepBias { get; }

    public double* OfSkip { get; }

    /// <summary>No head has added to queries and keys.</summary>
    public void Clear()
    {
        new Span<float>(Query, (int)(Key - Query)).Clear();
        new Span<float>(Key, (int)(gradY - Key)).Clear();
    }

    /// <summary>All gradients of a head.</summary>
    public void Run(in RecurrenceBlock block, int head, in Matrix dy)
    {
        block.LoadValues(head);
        block.Solve(State);
        block.MeetKeys();
        int values = block.Values, keys = block.Keys;
        for (int i = 0; i < block.Count; i++)
        {
            Row from = new(dy, block.First + i, head * input.Shape.ValueDim);
            for (int j = 0; j < values; j += Lanes.Count)
            {
                from.Load(j, input.Shape.ValueDim - j).Store(gradY + (i * values) + j);
            }
        }

        new Span<double>(ofG, Rows).Clear();
        SolveBack(block);
        MeetBack(block);
        RowSums.Transpose(State, input.Shape.KeyDim, values, values, stateAcross, keys);
        RowSums.Transpose(GradState, input.Shape.KeyDim, values, values, gradStateAcross, keys);
        KeyGradients(block);
        StateGradient(block);

        // Of g: all sums G from its token on have it; the first of a document has no effect.
        double sum = 0;
        for (int i = block.Count - 1; i >= 0; i--)
        {
            sum += ofG[i];
            ofG[i] = input.FirstOf(block.First + i) == block.First + i ? 0 : sum;
        }
    }

    /// <summary>Those of values and gates.</summary>
    public void StoreHead(in RecurrenceBlock block, int head, in Matrix channels, in Matrix gates)
    {
        int heads = input.Shape.Heads, inGroup = head % input.Group;
        double rate = input.RateOf(head);
        for (int i = 0; i < block.Count; i++)
        {
            int token = block.First + i;
            Row to = new(channels, token, input.ValueColumn(head));
            RowSums.Add(f + (i * block.Values), gradY + (i * block.Values), input.SkipOf(head), block.Values);
            OfSkip[inGroup] += RowSums.Dot(gradY + (i * block.Values), block.Value + (i * block.Values), block.Values);
            for (int j = 0; j < input.Shape.ValueDim; j += Lanes.Count)
            {
                to.Store(j, Vector512.Load(f + (i * block.Values) + j), input.Shape.ValueDim - j);
            }

            double step = input.StepAt(token, head), length = RecurrenceBlock.SoftPlus(step), ofStep = -ofG[i] * rate;
            if (input.Shape.Corrects)
            {
                double open = RecurrenceBlock.Sigmoid(input.BetaAt(token, head));
                new Row(gates, token, head).Store(0, Vector512.Create((float)(input.Shape.Correction * (beta[i] * open * (1 - open)))), 1);
            }
            else
            {
                // A step at its bound does not move.
                double bounded = input.Bounded(length);
                ofStep = bounded == length ? ofStep + beta[i] : 0;
                length = bounded;
            }

            ofStep *= RecurrenceBlock.Sigmoid(step);
            new Row(gates, token, input.Shape.Gates - heads + head).Store(0, Vector512.Create((float)ofStep), 1);
            OfDecay[inGroup] -= ofG[i] * rate * length;
            OfStepBias[inGroup] += ofStep;
        }
    }

    /// <summary>Those of queries and keys before they were made as long as 1.</summary>
    public void StoreKeys(in RecurrenceBlock block, int keyHead, in Matrix channels)
    {
        int column = input.QueryColumn(keyHead);
        for (int i = 0; i < block.Count; i++)
        {
            Row query = new(channels, block.First + i, column), key = new(channels, block.First + i, column + input.Shape.KeyWidth);
            StoreLength(block.Query + (i * block.Keys), Query + (i * block.Keys), block.QueryRoot[i], block.Scale, query);
            StoreLength(block.Key + (i * block.Keys), Key + (i * block.Keys), block.KeyRoot[i], 1, key);
        }
    }

    /// <summary>Of x, where n = x root scale: root scale (dn - (n / scale) (n dn) / scale).</summary>
    private void StoreLength(float* normed, float* gradient, float root, float scale, in Row to)
    {
        int width = input.Shape.KeyDim, whole = (width + Lanes.Count - 1) / Lanes.Count * Lanes.Count;
        if (!input.Shape.Corrects)
        {
            for (int j = 0; j < width; j += Lanes.Count)
            {
                to.Store(j, Vector512.Load(gradient + j), width - j);
            }

            return;
        }

        float pull = -RowSums.Dot(normed, gradient, whole) / (scale * scale);
        for (int j = 0; j < width; j += Lanes.Count)
        {
            Vector512<float> straight = Vector512.FusedMultiplyAdd(
                Vector512.Load(normed + j), Vector512.Create(pull), Vector512.Load(gradient + j));
            to.Store(j, straight * Vector512.Create(root * scale), width - j);
        }
    }

    /// <summary>de, f and beta's.</summary>
    private void SolveBack(in RecurrenceBlock block)
    {
        int values = block.Values, count = block.Count;
        for (int s = 0; s < count; s++)
        {
            float* to = gradE + (s * values);
            RowSums.Run(input.Shape.KeyDim, block.Key + (s * block.Keys), 1, GradState, values, to, values, Start.Zero);
            RowSums.Scale(to, values, block.ToLast[s]);
            RowSums.Run(
                count - s, block.QueryProducts + (s * Rows) + s, Rows, gradY + (s * values), values, to, values, Start.Tile);
        }

        for (int i = count - 1; i >= 0; i--)
        {
            float* to = gradE + (i * values);
            RowSums.Run(
                count - 1 - i, block.Correction + ((i + 1) * Rows) + i, Rows, f + ((i + 1) * values), values, to, values, Start.Tile);
            beta[i] = RowSums.Dot(to, block.Z + (i * values), values);
            for (int j = 0; j < values; j += Lanes.Count)
            {
                (Vector512.Load(to + j) * Vector512.Create(block.Beta[i])).Store(f + (i * values) + j);
            }
        }
    }

    /// <summary>Those of the products of keys with keys and with queries, and of the decay between tokens.</summary>
    private void MeetBack(in RecurrenceBlock block)
    {
        int values = block.Values;
        new Span<float>(across, values * Rows).Clear();
        RowSums.Transpose(block.E, block.Count, values, values, across, Rows);
        for (int i = 0; i < block.Count; i++)
        {
            float* key = ofKeys + (i * Rows), query = ofQueries + (i * Rows), decays = block.Decays + (i * Rows);
            RowSums.Run(values, f + (i * values), 1, across, Rows, key, Rows, Start.Zero);
            RowSums.Run(values, gradY + (i * values), 1, across, Rows, query, Rows, Start.Zero);
            for (int s = 0; s < Rows; s += Lanes.Count)
            {
                // A token does not correct itself.
                Vector512<float> before = Vector512.LessThan(Vector512<int>.Indices + Vector512.Create(s), Vector512.Create(i)).AsSingle();
                Vector512<float> h = Vector512.ConditionalSelect(before, Vector512.Load(key + s), default);
                Vector512<float> j = Vector512.Load(query + s), decay = Vector512.Load(decays + s);
                Vector512<float> moved = Vector512.ConditionalSelect(
                    before,
                    Vector512.FusedMultiplyAdd(
                        j,
                        Vector512.Load(block.QueryProducts + (i * Rows) + s),
                        h * Vector512.Load(block.Correction + (i * Rows) + s)),
                    default);
                moved.Store(rows + s);
                (input.Shape.Corrects ? -h * decay : default).Store(key + s);
                (j * decay).Store(query + s);
            }

            for (int s = 0; s < i; s++)
            {
                ofG[i] += rows[s];
                ofG[s] -= rows[s];
            }
        }
    }

    private void KeyGradients(in RecurrenceBlock block)
    {
        int keys = block.Keys, values = block.Values, count = block.Count;
        for (int i = 0; i < count; i++)
        {
            float* ofQuery = Query + (i * keys), ofKey = Key + (i * keys);
            float* query = block.Query + (i * keys), key = block.Key + (i * keys);
            float from = block.FromState[i], last = block.ToLast[i];
            RowSums.Run(values, gradY + (i * values), 1, stateAcross, keys, rows, keys, Start.Zero);
            ofG[i] += from * (double)RowSums.Dot(query, rows, keys);
            RowSums.Add(ofQuery, rows, from, keys);
            RowSums.Run(i + 1, ofQueries + (i * Rows), 1, block.Key, keys, ofQuery, keys, Start.Tile);

            RowSums.Run(input.Shape.Corrects ? values : 0, f + (i * values), 1, stateAcross, keys, rows, keys, Start.Zero);
            ofG[i] -= from * (double)RowSums.Dot(key, rows, keys);
            RowSums.Add(ofKey, rows, -from, keys);
            RowSums.Run(i, ofKeys + (i * Rows), 1, block.Key, keys, ofKey, keys, Start.Tile);
            RowSums.Run(count - 1 - i, ofKeys + ((i + 1) * Rows) + i, Rows, block.Key + ((i + 1) * keys), keys, ofKey, keys, Start.Tile);
            RowSums.Run(count - i, ofQueries + (i * Rows) + i, Rows, query, keys, ofKey, keys, Start.Tile);

            RowSums.Run(values, block.E + (i * values), 1, gradStateAcross, keys, rows, keys, Start.Zero);
            double moved = last * (double)RowSums.Dot(key, rows, keys);
            ofG[count - 1] += moved;
            ofG[i] -= moved;
            RowSums.Add(ofKey, rows, last, keys);
        }
    }

    /// <summary>That of S before the block in place of that of S after it.</summary>
    private void StateGradient(in RecurrenceBlock block)
    {
        int keys = block.Keys, values = block.Values, count = block.Count;
        float last = block.FromState[count - 1];
        double product = 0;
        for (int a = 0; a < input.Shape.KeyDim; a++)
        {
            float* to = GradState + (a * values);
            product += RowSums.Dot(State + (a * values), to, values);
            RowSums.Scale(to, values, last);
            Column(block, block.Query, a, 1);
            RowSums.Run(count, rows, 1, gradY, values, to, values, Start.Tile);
            Column(block, block.Key, a, -1);
            RowSums.Run(input.Shape.Corrects ? count : 0, rows, 1, f, values, to, values, Start.Tile);
        }

        ofG[count - 1] += last * product;
    }

    /// <summary>A column of queries or keys, each times its d.</summary>
    private void Column(in RecurrenceBlock block, float* of, int column, float sign)
    {
        for (int i = 0; i < block.Count; i++)
        {
            rows[i] = sign * of[(i * block.Keys) + column] * block.FromState[i];
        }
    }
}
