using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Initial values: their distribution, that they are a function of seed and place alone, and their very bits.</summary>
public class WeightInitialiserTests
{
    private static readonly ModelConfig Nano = new()
    {
        Name = "nano",
        VocabSize = 256,
        ModelDim = 128,
        LayerCount = 4,
        HeadCount = 4,
        KvHeadCount = 2,
        HeadDim = 32,
        FfnDim = 480,
        RopeTheta = 1e4,
        RmsNormEps = 1e-5f,
        QkNorm = true,
    };

    private static float[] Fill(ParameterObject weights, WeightName name, ulong seed = 7)
    {
        var tensor = weights.Layout(Nano)[name];
        float[] values = new float[tensor.Count];
        WeightInitialiser.Fill(seed, weights, tensor, 0, values);
        return values;
    }

    private static double Deviation(float[] values)
    {
        double mean = values.Average(v => (double)v);
        Assert.InRange(Math.Abs(mean), 0, 4 * Math.Sqrt(values.Average(v => (double)v * v) / values.Length));
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
    }

    [Theory]
    [InlineData(WeightName.Qkv, 128, false)]
    [InlineData(WeightName.AttentionOut, 128, true)]
    [InlineData(WeightName.GateUp, 128, false)]
    [InlineData(WeightName.Down, 480, true)]
    public void Matrices_are_uniform_in_the_inverse_root_of_their_fan_in(WeightName name, int fanIn, bool residual)
    {
        float[] values = Fill(ParameterObject.Block(new Layer(2)), name);
        double bound = 1 / Math.Sqrt(fanIn) / (residual ? Math.Sqrt(2 * Nano.LayerCount) : 1);
        Assert.InRange(values.Max(), bound * 0.999, bound);
        Assert.InRange(values.Min(), -bound, -bound * 0.999);
        Assert.Equal(bound / Math.Sqrt(3), Deviation(values), bound * 0.01);
    }

    [Fact]
    public void The_embedding_is_nearly_normal()
    {
        float[] values = Fill(ParameterObject.Embedding, WeightName.EmbeddingTable);
        Assert.Equal(0.02, Deviation(values), 0.02 * 0.02);
        Assert.Equal(0.6827, values.Count(v => Math.Abs(v) < 0.02) / (double)values.Length, 0.02);
        Assert.InRange(values.Max(), 0.06, 0.098);
    }

    [Theory]
    [InlineData(WeightName.AttentionNorm), InlineData(WeightName.FfnNorm), InlineData(WeightName.QNorm), InlineData(WeightName.KNorm)]
    public void Norms_start_at_one(WeightName name) => Assert.All(Fill(ParameterObject.Block(default), name), v => Assert.Equal(1, v));

    [Fact]
    public void Seeds_tensors_and_layers_are_unrelated()
    {
        float[] values = Fill(ParameterObject.Block(new Layer(0)), WeightName.Qkv);
        float[][] others =
        [
            Fill(ParameterObject.Block(new Layer(1)), WeightName.Qkv),
            Fill(ParameterObject.Block(new Layer(0)), WeightName.GateUp),
            Fill(ParameterObject.Block(new Layer(0)), WeightName.Qkv, seed: 8),
            Fill(ParameterObject.Head, WeightName.HeadMatrix),
        ];
        foreach (float[] other in others)
        {
            double product = values.Zip(other, (a, b) => (double)a * b).Sum();
            double norms = Math.Sqrt(values.Sum(v => (double)v * v) * other.Sum(v => (double)v * v));
            Assert.InRange(Math.Abs(product / norms), 0, 0.03);
        }
    }

    [Fact]
    public void The_bits_never_change()
    {
        // From a second implementation, in Python. A change here changes every run that was recorded with a seed.
        float[] matrix = Fill(ParameterObject.Block(new Layer(3)), WeightName.Down);
        float[] table = Fill(ParameterObject.Embedding, WeightName.EmbeddingTable);
        Assert.Equal(
            ExpectedBits,
            matrix[..2].Concat(matrix[^1..]).Concat(table[..2]).Concat(table[^1..]).Select(BitConverter.SingleToUInt32Bits)
        );
    }

    private static readonly uint[] ExpectedBits = [3149612927, 1005043821, 1000394440, 1015421764, 3165510208, 1016417650];
}
