using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dataflow.Oracle.Tests;

/// <summary>What some steps of TorchSharp's autograd and AdamW came to in one type.</summary>
/// <param name="Losses">Before each step.</param>
/// <param name="Norms">Global norms of each step's gradients, before they are clipped.</param>
/// <param name="Gradients">Of the first step, before they are clipped.</param>
/// <param name="Trained">Weights after the last step.</param>
public sealed record TorchRun(
    double[] Losses,
    double[] Norms,
    IReadOnlyDictionary<string, double[]> Gradients,
    IReadOnlyDictionary<string, double[]> Trained
)
{
    /// <summary>Trains a case.</summary>
    /// <param name="a">The optimizer's settings.</param>
    /// <param name="seed">Of stochastic rounding.</param>
    public static TorchRun Of(OracleCase one, TorchRecipe recipe, AdamWNumbers a, int seed = 0)
    {
        using var scope = NewDisposeScope();
        var parameters = one.Weights.ToDictionary(
            w => w.Key,
            w => new Parameter(tensor(w.Value.Values, w.Value.Shape).to(recipe.Weights), requires_grad: one.IsTrained(w.Key))
        );
        var trained = parameters.Where(p => one.IsTrained(p.Key)).ToDictionary();
        using var optimizer = optim.AdamW(
            trained.Values, a.Rate, a.Beta1, a.Beta2, a.Epsilon, a.Decay, amsgrad: false, maximize: false);
        var random = new Random(seed);
        var losses = new List<double>();
        var norms = new List<double>();
        var gradients = new Dictionary<string, double[]>();
        for (int step = 0; step < OracleCase.Steps; step++)
        {
            optimizer.zero_grad();
            var weights = parameters.ToDictionary(p => p.Key, p => p.Value.to(recipe.Arithmetic));
            var loss = new TorchDecoder(one.Shape, weights).Loss(TorchBatch.Of(one.RowsOf(step), one.DividesByWeights));
            loss.backward();
            losses.Add(loss.to(ScalarType.Float64).item<double>());
            norms.Add(Math.Sqrt(trained.Values.Sum(p => p.grad!.to(ScalarType.Float64).pow(2).sum().item<double>())));
            if (step == 0)
            {
                gradients = trained.ToDictionary(p => p.Key, p => Numbers(p.Value.grad!));
            }

            if (one.ClipNorm is { } limit)
            {
                nn.utils.clip_grad_norm_(trained.Values, limit);
            }

            optimizer.step();
            foreach (var parameter in recipe.RoundsStochastically ? trained.Values.ToArray() : [])
            {
                using var _ = no_grad();
                parameter.copy_(Rounded(parameter, random));
            }
        }

        return new TorchRun([.. losses], [.. norms], gradients, parameters.ToDictionary(p => p.Key, p => Numbers(p.Value)));
    }

    /// <summary>To bfloat16, away from zero with the probability of the part cut off.</summary>
    private static Tensor Rounded(Tensor values, Random random)
    {
        float[] numbers = values.detach().data<float>().ToArray();
        for (int i = 0; i < numbers.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(numbers[i]) + (uint)random.Next(1 << 16);
            numbers[i] = BitConverter.UInt32BitsToSingle(bits & 0xFFFF0000);
        }

        return tensor(numbers, values.shape);
    }

    private static double[] Numbers(Tensor tensor) => tensor.detach().to(ScalarType.Float64).contiguous().data<double>().ToArray();
}
