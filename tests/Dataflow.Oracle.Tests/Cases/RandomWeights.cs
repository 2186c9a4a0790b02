using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Oracle.Tests;

/// <summary>Weights that let every part of a model matter, exact in bfloat16, so that all types start from the same numbers.</summary>
internal static class RandomWeights
{
    /// <summary>By the names of a checkpoint.</summary>
    public static IReadOnlyDictionary<string, CaseTensor> Of(Random random, ModelConfig model) =>
        WeightNames.Enumerate(model).ToDictionary(b => b.Name, b =>
        {
            float[] values = new float[b.ElementCount];
            double deviation = b.Name.Contains("embed", StringComparison.Ordinal) ? 0.5 : 0.7 / Math.Sqrt(b.Shape[^1]);
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = Rounded(b.Shape.Count == 1 ? 1 + (0.1 * Normal(random)) : deviation * Normal(random));
            }

            return new CaseTensor(values, [.. b.Shape]);
        });

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static float Rounded(double value) =>
        BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits((float)value) + 0x8000) & 0xFFFF0000);
}
