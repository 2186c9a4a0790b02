using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class UngatedActivationTests : KernelTest
{
    [Theory]
    [InlineData(5, 7, DType.Float32)]
    [InlineData(3, 4099, DType.Float32)]
    [InlineData(9, 48, DType.BFloat16)]
    public void Forward_agrees_with_the_definition(int rows, int columns, DType type)
    {
        Tensor u = New(rows, columns, type, 3).Random(1, scale: 4);
        Tensor s = New(rows, columns, type, 1).Poison();
        UngatedActivation.Forward(Team(), Activation.Gelu, u.M, s.M);
        s.AssertClose(Definition(u.Values(), Activation.Gelu));
    }

    [Theory]
    [MemberData(nameof(ActivationDefinition.AllInBothTypes), MemberType = typeof(ActivationDefinition))]
    public void Backward_agrees_with_finite_differences_and_gives_the_forward_again(Activation activation, DType type)
    {
        Tensor u = New(6, 19, type, 2).Random(1, scale: 3);
        Tensor ds = New(6, 19, type, 1).Random(2);
        Tensor s = New(6, 19, type);
        UngatedActivation.Forward(Team(), activation, u.M, s.M);
        double[,] inputs = u.Values();
        s.AssertClose(Definition(inputs, activation));
        double[,] expected = Differences(inputs, ds.Values(), () => Definition(inputs, activation));
        UngatedActivation.Backward(Team(), activation, ds.M, u.M);
        u.AssertClose(expected);
        ds.AssertSameBits(s);
    }

    [Fact]
    public void An_activation_that_there_is_not_is_refused()
    {
        Tensor u = New(2, 4);
        Tensor s = New(2, 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => UngatedActivation.Forward(Team(), (Activation)99, u.M, s.M));
        Assert.Throws<ArgumentOutOfRangeException>(() => UngatedActivation.Backward(Team(), (Activation)99, s.M, u.M));
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Tensor? first = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor u = New(50, 30).Random(1);
            Tensor ds = New(50, 30).Random(2);
            UngatedActivation.Backward(Team(threads), Activation.SquaredRelu, ds.M, u.M);
            (first ??= u).AssertSameBits(u);
        }
    }

    private static double[,] Definition(double[,] u, Activation activation)
    {
        double[,] s = new double[u.GetLength(0), u.GetLength(1)];
        for (int t = 0; t < u.GetLength(0); t++)
        {
            for (int j = 0; j < u.GetLength(1); j++)
            {
                s[t, j] = ActivationDefinition.Of(activation, u[t, j]);
            }
        }

        return s;
    }
}
