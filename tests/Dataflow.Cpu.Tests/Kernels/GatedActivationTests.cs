using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class GatedActivationTests : KernelTest
{
    [Theory]
    [InlineData(5, 7, DType.Float32)]
    [InlineData(3, 4099, DType.Float32)]
    [InlineData(9, 48, DType.BFloat16)]
    public void Forward_agrees_with_the_definition(int rows, int columns, DType type)
    {
        Tensor gu = New(rows, 2 * columns, type, 3).Random(1, scale: 4);
        Tensor s = New(rows, columns, type, 1).Poison();
        GatedActivation.Forward(Team(), Activation.Silu, gu.M, s.M);
        s.AssertClose(Definition(gu.Values()));
    }

    [Theory]
    [MemberData(nameof(ActivationDefinition.AllInBothTypes), MemberType = typeof(ActivationDefinition))]
    public void Backward_agrees_with_finite_differences_and_gives_the_forward_again(Activation activation, DType type)
    {
        Tensor gu = New(6, 2 * 19, type, 2).Random(1, scale: 3);
        Tensor ds = New(6, 19, type, 1).Random(2);
        Tensor s = New(6, 19, type);
        GatedActivation.Forward(Team(), activation, gu.M, s.M);
        double[,] inputs = gu.Values();
        s.AssertClose(Definition(inputs, activation));
        double[,] expected = Differences(inputs, ds.Values(), () => Definition(inputs, activation));
        GatedActivation.Backward(Team(), activation, ds.M, gu.M);
        gu.AssertClose(expected);
        ds.AssertSameBits(s);
    }

    [Theory]
    [InlineData(Activation.Silu)]
    [InlineData(Activation.Gelu)]
    [InlineData(Activation.GeluTanh)]
    [InlineData(Activation.Relu)]
    public void Large_gates_saturate(Activation activation)
    {
        Tensor gu = New(1, 8);
        double[] gates = [-1000, -100, 100, 1000];
        for (int i = 0; i < 4; i++)
        {
            gu[0, i] = gates[i];
            gu[0, 4 + i] = 2;
        }

        Tensor s = New(1, 4);
        GatedActivation.Forward(Team(), activation, gu.M, s.M);
        s.AssertClose(new double[,] { { 0, 0, 200, 2000 } });
        GatedActivation.Backward(Team(), activation, s.Fill(1).M, gu.M);
        gu.AssertClose(new double[,] { { 0, 0, 2, 2, 0, 0, 100, 1000 } });
    }

    [Fact]
    public void An_activation_that_there_is_not_is_refused()
    {
        Tensor gu = New(2, 8);
        Tensor s = New(2, 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => GatedActivation.Forward(Team(), (Activation)99, gu.M, s.M));
        Assert.Throws<ArgumentOutOfRangeException>(() => GatedActivation.Backward(Team(), (Activation)99, s.M, gu.M));
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Tensor? first = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor gu = New(50, 2 * 30).Random(1);
            Tensor ds = New(50, 30).Random(2);
            GatedActivation.Backward(Team(threads), Activation.Silu, ds.M, gu.M);
            (first ??= gu).AssertSameBits(gu);
        }
    }

    private static double[,] Definition(double[,] gu, Activation activation = Activation.Silu)
    {
        int columns = gu.GetLength(1) / 2;
        double[,] s = new double[gu.GetLength(0), columns];
        for (int t = 0; t < gu.GetLength(0); t++)
        {
            for (int j = 0; j < columns; j++)
            {
                s[t, j] = ActivationDefinition.Of(activation, gu[t, j]) * gu[t, columns + j];
            }
        }

        return s;
    }
}
