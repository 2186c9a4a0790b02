using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dataflow.Peers;

/// <summary>
/// Trains a <see cref="TorchDecoder"/> as TorchSharp's users do: weights, gradients and both moments in one type, autograd, its own AdamW.
/// </summary>
public sealed class TorchTrainer : IDisposable
{
    private readonly TorchDecoder decoder;
    private readonly Parameter[] parameters;
    private readonly AdamW optimizer;

    /// <param name="weights">Values and shapes by their names.</param>
    /// <param name="type">Of all that is stored.</param>
    /// <param name="rate">Learning rate; the other settings are those common for language models.</param>
    public TorchTrainer(
        TorchShape shape,
        IEnumerable<(string Name, float[] Values, long[] Shape)> weights,
        ScalarType type,
        double rate
    )
    {
        var named = weights.ToDictionary(w => w.Name, w => new Parameter(tensor(w.Values, w.Shape).to(type), requires_grad: true));
        parameters = [.. named.Values];
        decoder = new TorchDecoder(shape, named.ToDictionary(w => w.Key, w => (Tensor)w.Value));
        optimizer = optim.AdamW(parameters, rate, 0.9, 0.95, 1e-8, 0.1, amsgrad: false, maximize: false);
    }

    /// <summary>One step; the loss before it.</summary>
    public double Step(TorchBatch batch)
    {
        using var scope = NewDisposeScope();
        optimizer.zero_grad();
        var loss = decoder.Loss(batch);
        loss.backward();
        optimizer.step();
        return loss.to(ScalarType.Float64).item<double>();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        optimizer.Dispose();
        foreach (var parameter in parameters)
        {
            parameter.Dispose();
        }
    }
}
