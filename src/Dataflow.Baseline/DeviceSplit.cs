using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// Who gets the device memory that is left, r. As many layers f as fit whole (parameters, gradients and the activations of all C chunks:
/// 2B + aC each) come first; then, if anything is missing, one more block of parameters if it fits, and activations with the rest.
/// Where not even one layer fits whole, one block of each kind and activations with the rest. The last pairs (layer, chunk) of
/// the forward stay in those slots; the others' activations go home.
/// </summary>
/// <param name="WeightBlocks">Slots for blocks' parameters.</param>
/// <param name="GradientBlocks">Slots for blocks' gradients.</param>
/// <param name="DevicePairs">Pairs (layer, chunk) of a round whose activations stay, and slots for all of them.</param>
/// <param name="HomePairs">The others.</param>
public sealed record DeviceSplit(int WeightBlocks, int GradientBlocks, int DevicePairs, int HomePairs)
{
    /// <summary>The least that must be left beside what is sticky: 2B + 2a.</summary>
    public static Bytes Least(Bytes block, Bytes activations) => (2 * block) + (2 * activations);

    /// <summary>The split of <paramref name="rest"/>, at least <see cref="Least"/>.</summary>
    public static DeviceSplit Of(int layers, int chunks, Bytes block, Bytes activations, Bytes rest)
    {
        long pairs = (long)layers * chunks;
        var layer = (2 * block) + (activations * chunks);
        int whole = (int)Math.Min(layers, rest.Value / layer.Value);
        int weights = Math.Max(1, whole);
        var left = rest - (whole == 0 ? 2 * block : layer * whole);
        if (whole > 0 && whole < layers && left > block)
        {
            weights++;
            left -= block;
        }

        int device = checked((int)Math.Min(pairs, ((long)whole * chunks) + (left.Value / activations.Value)));
        return new DeviceSplit(weights, Math.Max(1, whole), device, checked((int)pairs - device));
    }
}
