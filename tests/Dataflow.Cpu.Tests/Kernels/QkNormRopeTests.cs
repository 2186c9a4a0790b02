using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed unsafe class QkNormRopeTests : KernelTest
{
    private const double Theta = QkNormRopeShape.Theta;

    [Theory]
    [InlineData(19, 4, 2, 8, 0, true, DType.Float32)]
    [InlineData(19, 4, 2, 20, 7, false, DType.Float32)]
    [InlineData(40, 3, 1, 64, 1000, true, DType.Float32)]
    [InlineData(18, 2, 2, 128, 5, true, DType.BFloat16)]
    public void Forward_agrees_with_the_definition(int tokens, int heads, int kvHeads, int headDim, int rowOffset, bool norms, DType type)
    {
        var shape = new QkNormRopeShape(
            heads,
            kvHeads,
            headDim,
            rowOffset,
            Documents.FirstKeys(tokens, rowOffset, [rowOffset / 2, rowOffset + 4, rowOffset + 11], 2)
        );
        Tensor qkv = New(tokens, shape.Width, type).Random(1);
        Tensor? qNorm = norms ? New(1, headDim, type).Random(2, offset: 1) : null;
        Tensor? kNorm = norms ? New(1, headDim, type).Random(3, offset: 1) : null;
        Tensor q = New(tokens, heads * headDim, type).Poison();
        Tensor kv = New(tokens, 2 * kvHeads * headDim, type).Poison();
        Forward(Team(), shape, qkv, qNorm, kNorm, q, kv);
        double[,] expected = shape.Definition(qkv.Values(), qNorm?.Values(), kNorm?.Values());
        q.AssertClose(QkNormRopeShape.Columns(expected, 0, heads * headDim));
        kv.AssertClose(QkNormRopeShape.Columns(expected, heads * headDim, 2 * kvHeads * headDim));

        Tensor qAlone = New(tokens, heads * headDim, type).Poison();
        Forward(Team(1), shape, qkv, qNorm, kNorm, qAlone, null);
        qAlone.AssertSameBits(q);
        Tensor kvAlone = New(tokens, 2 * kvHeads * headDim, type).Poison();
        Forward(Team(3), shape, qkv, qNorm, kNorm, null, kvAlone);
        kvAlone.AssertSameBits(kv);
    }

    [Theory]
    [InlineData(true, DType.Float32)]
    [InlineData(false, DType.Float32)]
    [InlineData(true, DType.BFloat16)]
    public void Backward_agrees_with_finite_differences(bool norms, DType type)
    {
        const int Tokens = 18;
        var shape = new QkNormRopeShape(3, 1, 10, 6, Documents.FirstKeys(Tokens, 6, [3, 9], 1));
        Tensor qkv = New(Tokens, shape.Width, type).Random(1);
        Tensor? qNorm = norms ? New(1, 10, type).Random(2, offset: 1) : null;
        Tensor? kNorm = norms ? New(1, 10, type).Random(3, offset: 1) : null;
        Tensor dq = New(Tokens, 30, type).Random(4);
        Tensor dkv = New(Tokens, 20, DType.Float32).Random(5);
        (double[,] qkvs, double[,]? qw, double[,]? kw) = (qkv.Values(), qNorm?.Values(), kNorm?.Values());
        double[,] weights = Joined(dq, dkv);

        double[,] expected = Differences(qkvs, weights, () => shape.Definition(qkvs, qw, kw));
        Tensor dqkv = New(Tokens, shape.Width, type).Poison();
        Tensor? dqNorm = norms ? New(1, 10, type).Poison() : null;
        Tensor? dkNorm = norms ? New(1, 10, type).Poison() : null;
        var call = Call(shape, dq, dkv, dqkv) with
        {
            Qkv = norms ? qkv.T : null,
            QueryNorm = qNorm?.T,
            KeyNorm = kNorm?.T,
            GradQueryNorm = dqNorm?.T,
            GradKeyNorm = dkNorm?.T,
        };
        QkNormRope.Backward(Team(), call);
        dqkv.AssertClose(expected);
        if (qw is null || kw is null || dqNorm is null || dkNorm is null)
        {
            return;
        }

        double[,] dqExpected = Differences(qw, weights, () => shape.Definition(qkvs, qw, kw));
        double[,] dkExpected = Differences(kw, weights, () => shape.Definition(qkvs, qw, kw));
        dqNorm.AssertClose(dqExpected);
        dkNorm.AssertClose(dkExpected);

        double[,] dqSum = Add(dqNorm.Random(6).Values(), dqExpected);
        double[,] dkSum = Add(dkNorm.Random(7).Values(), dkExpected);
        QkNormRope.Backward(Team(), call with { Accumulate = true });
        dqNorm.AssertClose(dqSum);
        dkNorm.AssertClose(dkSum);
    }

    /// <summary>A layer that attends to the keys and values of another: what is left is to the bit what it is beside them.</summary>
    [Theory]
    [InlineData(null, DType.Float32)]
    [InlineData(QkNormKind.Heads, DType.Float32)]
    [InlineData(QkNormKind.HeadsAfterRotation, DType.BFloat16)]
    [InlineData(QkNormKind.Rows, DType.Float32)]
    [InlineData(QkNormKind.HeadsCentred, DType.BFloat16)]
    [InlineData(QkNormKind.HeadsAndValues, DType.Float32)]
    public void Queries_alone_are_what_they_are_beside_keys_and_values(QkNormKind? norm, DType type)
    {
        const int Tokens = 37, Heads = 3, HeadDim = 10, Width = Heads * HeadDim;
        var shape = new QkNormRopeShape(Heads, 1, HeadDim, 6, Documents.FirstKeys(Tokens, 6, [3, 9], 1)) { Kind = norm ?? default };
        var alone = shape with { KvHeads = 0 };
        Tensor qkv = New(Tokens, shape.Width, type).Random(1), queries = New(Tokens, Width, type);
        Copy(qkv, queries);
        Tensor? qNorm = norm is null ? null : New(1, shape.Weights(Heads), type).Random(2, offset: 1);
        Tensor? kNorm = norm is null ? null : New(1, shape.Weights(1), type).Random(3, offset: 1);
        Tensor q = New(Tokens, Width, type).Poison(), qAlone = New(Tokens, Width, type).Poison();
        Forward(Team(), shape, qkv, qNorm, kNorm, q, null);
        Forward(Team(2), alone, queries, qNorm, null, qAlone, null);
        qAlone.AssertSameBits(q);

        Tensor dq = New(Tokens, Width, type).Random(4), dkv = New(Tokens, 2 * HeadDim, DType.Float32).Random(5);
        Tensor dqkv = New(Tokens, shape.Width, type).Poison(), got = New(Tokens, Width, type).Poison(), want = New(Tokens, Width, type);
        Tensor? dqNorm = norm is null ? null : New(1, shape.Weights(Heads), type).Poison();
        Tensor? dqNormAlone = norm is null ? null : New(1, shape.Weights(Heads), type).Poison();
        QkNormRope.Backward(Team(), Call(shape, dq, dkv, dqkv) with
        {
            Qkv = norm is null ? null : qkv.T,
            QueryNorm = qNorm?.T,
            KeyNorm = kNorm?.T,
            GradQueryNorm = dqNorm?.T,
            GradKeyNorm = norm is null ? null : New(1, shape.Weights(1), type).T,
        });
        var call = Call(alone, dq, dkv, got) with
        {
            GradKeyValue = null,
            Qkv = norm is null ? null : queries.T,
            QueryNorm = qNorm?.T,
            GradQueryNorm = dqNormAlone?.T,
        };
        QkNormRope.Backward(Team(2), call);
        Copy(dqkv, want);
        got.AssertSameBits(want);
        if (dqNorm is { } sums)
        {
            dqNormAlone!.AssertSameBits(sums);
        }

        Assert.Throws<ArgumentException>(() => QkNormRope.Backward(Team(), call with { GradKeyValue = dkv.T }));
    }

    private static void Copy(Tensor from, Tensor to)
    {
        for (int t = 0; t < to.T.Rows; t++)
        {
            for (int j = 0; j < to.T.Columns; j++)
            {
                to[t, j] = from[t, j];
            }
        }
    }

    [Fact]
    public void Pairs_turn_by_the_table_and_grow_by_its_factor_where_they_turn()
    {
        const int Tokens = 18, HeadDim = 10;
        var shape = new QkNormRopeShape(3, 1, HeadDim, 6, Documents.FirstKeys(Tokens, 6, [3, 9], 1))
        {
            Rotary = new RotaryTable([0.7, 0.011, 0.3, 0, 0], 1.25),
        };
        Tensor qkv = New(Tokens, shape.Width).Random(1);
        Tensor q = New(Tokens, 3 * HeadDim), kv = New(Tokens, 2 * HeadDim);
        Forward(Team(), shape, qkv, null, null, q, kv);
        double[,] expected = shape.Definition(qkv.Values(), null, null);
        q.AssertClose(QkNormRopeShape.Columns(expected, 0, 3 * HeadDim));
        kv.AssertClose(QkNormRopeShape.Columns(expected, 3 * HeadDim, 2 * HeadDim));
        for (int t = 0; t < Tokens; t++)
        {
            Assert.Equal((qkv[t, 3], qkv[t, 4], qkv[t, 8], qkv[t, 9]), (q[t, 3], q[t, 4], q[t, 8], q[t, 9]));
        }

        Tensor dq = New(Tokens, 3 * HeadDim).Random(2), dkv = New(Tokens, 2 * HeadDim).Random(3), dqkv = New(Tokens, shape.Width);
        QkNormRope.Backward(Team(), Call(shape, dq, dkv, dqkv));
        double[,] values = qkv.Values();
        dqkv.AssertClose(Differences(values, Joined(dq, dkv), () => shape.Definition(values, null, null)));
    }

    [Fact]
    public void A_table_of_another_width_is_refused()
    {
        var shape = new QkNormRopeShape(1, 1, 4, 0, [0]) { Rotary = RotaryTable.Plain(Theta, 8) };
        Assert.Throws<ArgumentException>(() => QkNormRope.Backward(Team(), Call(shape, New(1, 4), New(1, 8), New(1, 12))));
    }

    [Fact]
    public void Tables_are_equal_when_their_numbers_are()
    {
        Assert.Equal(RotaryTable.Plain(Theta, 64), RotaryTable.Plain(Theta, 64));
        Assert.Equal(RotaryTable.Plain(Theta, 64).GetHashCode(), RotaryTable.Plain(Theta, 64).GetHashCode());
        Assert.NotEqual(RotaryTable.Plain(Theta, 64), RotaryTable.Plain(Theta, 66));
        Assert.NotEqual(RotaryTable.Plain(Theta, 64), RotaryTable.Plain(Theta, 64) with { Factor = 2 });
        Assert.Equal(32, RotaryTable.Plain(Theta, 64).InverseFrequencies.Length);
    }

    /// <summary>Kinds of norm, with what is added to weights and by what queries grow.</summary>
    [Theory]
    [InlineData(QkNormKind.Heads, 1, 0.1, DType.Float32)]
    [InlineData(QkNormKind.HeadsAfterRotation, 0, 0, DType.Float32)]
    [InlineData(QkNormKind.HeadsAfterRotation, 1, 0.1, DType.BFloat16)]
    [InlineData(QkNormKind.Rows, 0, 0, DType.Float32)]
    [InlineData(QkNormKind.Rows, 1, 0.1, DType.Float32)]
    [InlineData(QkNormKind.Rows, 0, 0, DType.BFloat16)]
    [InlineData(QkNormKind.HeadsCentred, 0, 0, DType.Float32)]
    [InlineData(QkNormKind.HeadsCentred, 1, 0.1, DType.Float32)]
    [InlineData(QkNormKind.HeadsCentred, 0, 0, DType.BFloat16)]
    [InlineData(QkNormKind.HeadsAndValues, 0, 0, DType.Float32)]
    [InlineData(QkNormKind.HeadsAndValues, 1, 0.1, DType.BFloat16)]
    [InlineData(QkNormKind.HeadsAndValues, 0, 0, DType.Float32, true)]
    [InlineData(QkNormKind.HeadsAndValues, 1, 0.1, DType.BFloat16, true)]
    public void Every_kind_agrees_with_the_definition_and_finite_differences(
        QkNormKind kind, float offset, double beta, DType type, bool keysAreValues = false)
    {
        const int Tokens = 18;
        var shape = new QkNormRopeShape(3, 2, 10, 6, Documents.FirstKeys(Tokens, 6, [3, 9], 1))
        {
            Kind = kind,
            KeysAreValues = keysAreValues,
            WeightOffset = offset,
            QueryScale = beta == 0 ? null : new QueryScale(beta, 4),
            Rotary = new RotaryTable([0.7, 0.011, 0.3, 0, 0.002], 1.25),
        };
        Tensor qkv = New(Tokens, shape.Width, type).Random(1);
        Tensor qNorm = New(1, shape.Weights(3), type).Random(2, offset: 1 - offset);
        Tensor kNorm = New(1, shape.Weights(2), type).Random(3, offset: 1 - offset);
        (double[,] qkvs, double[,] qw, double[,] kw) = (qkv.Values(), qNorm.Values(), kNorm.Values());
        Tensor q = New(Tokens, 30, type).Poison(), kv = New(Tokens, 40, type).Poison();
        Forward(Team(), shape, qkv, qNorm, kNorm, q, kv);
        double[,] expected = shape.Definition(qkvs, qw, kw);
        q.AssertClose(QkNormRopeShape.Columns(expected, 0, 30));
        kv.AssertClose(QkNormRopeShape.Columns(expected, 30, 40));

        Tensor dq = New(Tokens, 30, type).Random(4), dkv = New(Tokens, 40).Random(5), dqkv = New(Tokens, shape.Width, type).Poison();
        Tensor dqNorm = New(1, shape.Weights(3), type).Poison(), dkNorm = New(1, shape.Weights(2), type).Poison();
        double[,] weights = Joined(dq, dkv);
        var call = Call(shape, dq, dkv, dqkv) with
        {
            Qkv = qkv.T,
            QueryNorm = qNorm.T,
            KeyNorm = kNorm.T,
            GradQueryNorm = dqNorm.T,
            GradKeyNorm = dkNorm.T,
        };
        QkNormRope.Backward(Team(), call);
        dqkv.AssertClose(Differences(qkvs, weights, () => shape.Definition(qkvs, qw, kw)));
        dqNorm.AssertClose(Differences(qw, weights, () => shape.Definition(qkvs, qw, kw)));
        dkNorm.AssertClose(Differences(kw, weights, () => shape.Definition(qkvs, qw, kw)));

        Tensor alone = New(Tokens, shape.Width, type), aloneNorm = New(1, shape.Weights(3), type);
        QkNormRope.Backward(Team(1), call with { GradQkv = alone.T, GradQueryNorm = aloneNorm.T });
        alone.AssertSameBits(dqkv);
        aloneNorm.AssertSameBits(dqNorm);
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        const int Tokens = 100;
        var shape = new QkNormRopeShape(4, 2, 32, 0, Documents.FirstKeys(Tokens, 0, [40]));
        Tensor qkv = New(Tokens, shape.Width).Random(1);
        Tensor norm = New(1, 32).Random(2);
        Tensor dq = New(Tokens, 128).Random(3);
        Tensor dkv = New(Tokens, 128).Random(4);
        Tensor? first = null;
        Tensor? firstNorm = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor dqkv = New(Tokens, shape.Width);
            Tensor dqNorm = New(1, 32);
            Tensor dkNorm = New(1, 32);
            var call = Call(shape, dq, dkv, dqkv) with
            {
                Qkv = qkv.T,
                QueryNorm = norm.T,
                KeyNorm = norm.T,
                GradQueryNorm = dqNorm.T,
                GradKeyNorm = dkNorm.T,
            };
            QkNormRope.Backward(Team(threads), call);
            (first ??= dqkv).AssertSameBits(dqkv);
            (firstNorm ??= dqNorm).AssertSameBits(dqNorm);
        }
    }

    [Fact]
    public void A_norm_without_its_input_is_refused()
    {
        var shape = new QkNormRopeShape(1, 1, 4, 0, [0]);
        Tensor t = New(1, 12);
        Tensor norm = New(1, 4);
        var call = Call(shape, New(1, 4), New(1, 8), t) with
        {
            QueryNorm = norm.T,
            KeyNorm = norm.T,
            GradQueryNorm = norm.T,
            GradKeyNorm = norm.T,
        };
        Assert.Throws<ArgumentException>(() => QkNormRope.Backward(Team(), call));
    }

    private void Forward(ThreadTeam team, QkNormRopeShape s, Tensor qkv, Tensor? qNorm, Tensor? kNorm, Tensor? q, Tensor? kv) =>
        QkNormRope.Forward(
            team,
            new QkNormRopeForwardArguments
            {
                Qkv = qkv.T,
                QueryNorm = qNorm?.T,
                KeyNorm = kNorm?.T,
                Epsilon = QkNormRopeShape.Epsilon,
                At = At(s),
                Rotary = s.Rotary,
                NormKind = s.Kind,
                KeysAreValues = s.KeysAreValues,
                WeightOffset = s.WeightOffset,
                QueryScale = s.QueryScale,
                Heads = new HeadShape(s.Heads, s.KvHeads, s.HeadDim),
                Query = q?.T,
                KeyValue = kv?.T,
            }
        );

    /// <summary>Without norms.</summary>
    private QkNormRopeBackwardArguments Call(QkNormRopeShape s, Tensor dq, Tensor dkv, Tensor dqkv) =>
        new()
        {
            GradQuery = dq.T,
            GradKeyValue = dkv.T,
            Qkv = null,
            QueryNorm = null,
            KeyNorm = null,
            Epsilon = QkNormRopeShape.Epsilon,
            At = At(s),
            Rotary = s.Rotary,
            NormKind = s.Kind,
            KeysAreValues = s.KeysAreValues,
            WeightOffset = s.WeightOffset,
            QueryScale = s.QueryScale,
            Heads = new HeadShape(s.Heads, s.KvHeads, s.HeadDim),
            GradQkv = dqkv.T,
            GradQueryNorm = null,
            GradKeyNorm = null,
            Accumulate = false,
            Workspace = 0,
        };

    /// <summary>The gradients' columns, those of queries first.</summary>
    private static double[,] Joined(Tensor dq, Tensor dkv)
    {
        (double[,] queries, double[,] others) = (dq.Values(), dkv.Values());
        int width = queries.GetLength(1);
        double[,] all = new double[queries.GetLength(0), width + others.GetLength(1)];
        for (int t = 0; t < all.GetLength(0); t++)
        {
            for (int j = 0; j < all.GetLength(1); j++)
            {
                all[t, j] = j < width ? queries[t, j] : others[t, j - width];
            }
        }

        return all;
    }

    private ChunkContext At(QkNormRopeShape s) => new((nuint)Table(s.FirstKeys), s.RowOffset);
}
