using Dataflow.Cuda.Kernels;
using Dataflow.Model;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>Activations, scaled embeddings and mapped logits, as the device launches them, against plain loops in float64.</summary>
public sealed class ElementLaunchTests : LaunchTest
{
    private const int Rows = 5,
        Columns = 24;

    [Theory]
    [InlineData(Activation.Silu)]
    [InlineData(Activation.GeluTanh)]
    [InlineData(Activation.Relu)]
    [InlineData(Activation.SquaredRelu)]
    public void Activations_are_their_definitions_gated_and_not(Activation activation)
    {
        var (gateUp, both) = Random(DType.Float32, Rows, 2 * Columns, 1, 3);
        var (up, us) = Random(DType.Float32, Rows, Columns, 2, 3);
        var (ffn, _) = Random(DType.Float32, Rows, Columns, 3);
        var (gradient, ds) = Random(DType.Float32, Rows, Columns, 4);
        double Gate(int i) => both[(i / Columns * 2 * Columns) + (i % Columns)];
        new GatedActivation(Library).Forward(Stream, activation, gateUp, ffn);
        double Up(int i) => both[(((2 * (i / Columns)) + 1) * Columns) + (i % Columns)];
        AssertClose(DType.Float32, Each(i => Of(activation, Gate(i)) * Up(i)), Read(ffn));

        var ungated = new UngatedActivation(Library);
        ungated.Forward(Stream, activation, up, ffn);
        AssertClose(DType.Float32, Each(i => Of(activation, us[i])), Read(ffn));
        ungated.Backward(Stream, activation, gradient, up);
        Assert.Equal(Read(ffn), Read(gradient));
        const double Step = 1e-6;
        double Slope(double g) => (Of(activation, g + Step) - Of(activation, g - Step)) / (2 * Step);
        AssertClose(DType.Float32, Each(i => ds[i] * Slope(us[i])), Read(up));
    }

    [Fact]
    public void Every_activation_has_its_entry_points()
    {
        var (gateUp, _) = Random(DType.BFloat16, Rows, 2 * Columns, 1);
        var (up, _) = Random(DType.BFloat16, Rows, Columns, 2);
        var (ffn, _) = Random(DType.BFloat16, Rows, Columns, 3);
        var (gated, ungated) = (new GatedActivation(Library), new UngatedActivation(Library));
        foreach (var activation in Enum.GetValues<Activation>())
        {
            gated.Forward(Stream, activation, gateUp, ffn);
            gated.Backward(Stream, activation, ffn, gateUp);
            ungated.Forward(Stream, activation, up, ffn);
            ungated.Backward(Stream, activation, ffn, up);
        }

        Assert.All(Read(up), v => Assert.True(double.IsFinite(v)));
    }

    [Fact]
    public void Embeddings_are_scaled_both_ways()
    {
        int[] ids = [3, 0, 3, 6, 1];
        int[] order = [1, 4, 0, 2, 3];
        var (table, rows) = Random(DType.Float32, 7, Columns, 1);
        var (x, _) = Random(DType.Float32, Rows, Columns, 2);
        var (dx, ds) = Random(DType.Float32, Rows, Columns, 3);
        var (gradient, old) = Random(DType.Float32, 7, Columns, 4);
        var (deviceIds, deviceOrder) = (Integers(ids), Integers(order));
        var embedding = new Embedding(Library);
        embedding.Forward(
            Stream,
            new()
            {
                Ids = deviceIds,
                Table = table,
                X = x,
                Scale = 12,
            }
        );
        AssertClose(DType.Float32, Each(i => 12 * rows[(ids[i / Columns] * Columns) + (i % Columns)]), Read(x));
        embedding.BackwardBlock(
            Stream,
            new()
            {
                Ids = deviceIds,
                Order = deviceOrder,
                FirstId = 0,
                GradX = dx,
                GradBlock = gradient,
                Scale = 12,
            }
        );
        for (int i = 0; i < ds.Length; i++)
        {
            old[(ids[i / Columns] * Columns) + (i % Columns)] += 12 * ds[i];
        }

        AssertClose(DType.Float32, old, Read(gradient));
    }

    private static double[] Each(Func<int, double> of) => [.. Enumerable.Range(0, Rows * Columns).Select(of)];

    private static double Of(Activation activation, double g) =>
        activation switch
        {
            Activation.Silu => g / (1 + Math.Exp(-g)),
            Activation.GeluTanh => 0.5 * g * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (g + (0.044715 * g * g * g)))),
            Activation.Relu => Math.Max(g, 0),
            Activation.SquaredRelu => Math.Max(g, 0) * Math.Max(g, 0),
            _ => throw new ArgumentOutOfRangeException(nameof(activation)),
        };
}
