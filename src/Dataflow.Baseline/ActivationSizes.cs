using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>How much of a chunk's activations in a layer a forward keeps. Each level is the front part of the next.</summary>
public enum SaveLevel
{
    /// <summary>Input, K, V and the two norms' rms.</summary>
    InputOnly,

    /// <summary>Attention output and log-sum-exp besides.</summary>
    Attention,

    /// <summary>Everything: query, residual after attention, gate and up besides.</summary>
    Full,
}

/// <summary>
/// Bytes of one layer's activations of one chunk, in the order in which they lie, each on 256 bytes:
/// x 2TD, rms of both norms 4T each, k and v 2T kv each | log-sum-exp 4TH, attention output 2TD | q and residual 2TD each, gate and up 2TF
/// each. The bars end the levels.
/// </summary>
/// <param name="Estimate">a = 2T(4D + 2kv + 2F): what chunks and the device's split are chosen by. It leaves out the fp32 vectors.</param>
/// <param name="InputOnly">i.</param>
/// <param name="Attention">p.</param>
/// <param name="Full">u; slots on the device always have it.</param>
public sealed record ActivationSizes(Bytes Estimate, Bytes InputOnly, Bytes Attention, Bytes Full)
{
    /// <summary>Of a chunk of that many tokens.</summary>
    public static ActivationSizes Of(ModelConfig model, int tokens)
    {
        Bytes Vectors(int width, int bytes) => new Bytes((long)tokens * width * bytes).Aligned;
        var stream = Vectors(model.ModelDim, 2);
        var inputOnly = stream + (2 * Vectors(1, 4)) + (2 * Vectors(model.KvDim, 2));
        var attention = inputOnly + Vectors(model.HeadCount, 4) + stream;
        var full = attention + (2 * stream) + (2 * Vectors(model.FfnDim, 2));
        return new ActivationSizes(
            new Bytes(2L * tokens * ((4L * model.ModelDim) + (2L * model.KvDim) + (2L * model.FfnDim))),
            inputOnly,
            attention,
            full
        );
    }

    /// <summary>Of a level.</summary>
    public Bytes Of(SaveLevel level) => level switch
    {
        SaveLevel.InputOnly => InputOnly,
        SaveLevel.Attention => Attention,
        _ => Full,
    };
}
