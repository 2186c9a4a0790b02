using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Conformance;

/// <summary>
/// A step of AdamW with 8-bit moments, element by element as it is defined: moments, codes and scales in fp32 to the bit, new weights in
/// float64 from these moments, with how far fp32 may be from them.
/// </summary>
internal sealed class EightBitReplay
{
    private const int BlockElements = DynamicMap.BlockElements;

    // Roundings of a weight and of what it moves by, special function units' included.
    private const double Roundings = 8 * (1.0 / (1 << 24));

    private EightBitReplay(EightBitState state, double[] weights, double[] errors) =>
        (State, Weights, Errors) = (state, weights, errors);

    /// <summary>Codes and scales; its weights are those before the step.</summary>
    public EightBitState State { get; }

    /// <summary>Before they are rounded to their type.</summary>
    public double[] Weights { get; }

    /// <summary>How far fp32 arithmetic may be off.</summary>
    public double[] Errors { get; }

    /// <summary>The step from a state.</summary>
    public static EightBitReplay Of(EightBitState before, float[] gradient, in AdamW8BitArguments call, float clip, in StepArguments step)
    {
        var s = step.Optimizer;
        double beta1 = (double)(decimal)s.Beta1, beta2 = (double)(decimal)s.Beta2;
        float oneMinusBeta1 = (float)(1 - beta1), oneMinusBeta2 = (float)(1 - beta2);
        double rate = (double)s.LearningRate * call.Scale.Rate, decay = ((double)s.WeightDecay * call.Scale.Decay) + call.Scale.OwnDecay;
        double correction1 = 1 - Math.Pow(beta1, step.Step), correction2 = 1 - Math.Pow(beta2, step.Step);
        int count = before.Weights.Length;
        float[] firsts = new float[count], seconds = new float[count];
        double[] weights = new double[count], errors = new double[count];
        for (int i = 0; i < count; i++)
        {
            int block = i / BlockElements;
            float g = gradient[i] * clip;
            float first = DynamicMap.Signed.Values[before.FirstCodes[i]] * before.FirstScales[block];
            float second = DynamicMap.Unsigned.Values[before.SecondCodes[i]] * before.SecondScales[block];
            float square = g * g;
            firsts[i] = MathF.FusedMultiplyAdd(oneMinusBeta1, g - first, first);
            seconds[i] = MathF.FusedMultiplyAdd(oneMinusBeta2, square - second, second);
            double weight = (before.Master ?? before.Weights)[i];
            double moved = rate * firsts[i] / correction1 / ((Math.Sqrt(seconds[i]) / Math.Sqrt(correction2)) + s.Epsilon);
            weights[i] = (weight * (1 - (rate * decay))) - moved;
            errors[i] = Roundings * (Math.Abs(weight) + Math.Abs(moved));
        }

        var state = before with
        {
            FirstCodes = new byte[count],
            FirstScales = new float[before.FirstScales.Length],
            SecondCodes = new byte[count],
            SecondScales = new float[before.SecondScales.Length],
        };
        for (int b = 0; b < state.FirstScales.Length; b++)
        {
            var at = new Range(b * BlockElements, (b + 1) * BlockElements);
            state.FirstScales[b] = DynamicMap.Signed.Quantize(firsts.AsSpan(at), state.FirstCodes.AsSpan(at));
            state.SecondScales[b] = DynamicMap.Unsigned.Quantize(seconds.AsSpan(at), state.SecondCodes.AsSpan(at));
        }

        return new EightBitReplay(state, weights, errors);
    }

    /// <summary>
    /// Fails where a device's codes or scales have other bits, or a weight is not what the recipe makes of a number as near to the exact
    /// one as fp32 arithmetic is.
    /// </summary>
    public void AssertIs(EightBitState found, in AdamW8BitArguments call, in StepArguments step)
    {
        Assert.Equal(State.FirstCodes, found.FirstCodes);
        Assert.Equal(State.SecondCodes, found.SecondCodes);
        Assert.Equal(Bits(State.FirstScales), Bits(found.FirstScales));
        Assert.Equal(Bits(State.SecondScales), Bits(found.SecondScales));
        for (int i = 0; i < Weights.Length; i++)
        {
            float got = (found.Master ?? found.Weights)[i];
            float low = Round(Weights[i] - Errors[i], i, call, step), high = Round(Weights[i] + Errors[i], i, call, step);
            bool isIn = double.IsNaN(Weights[i]) ? float.IsNaN(got) : got >= low && got <= high;
            Assert.True(isIn, $"weight {i} is {got:g9}, not from {low:g9} to {high:g9}");
            if (found.Master is not null)
            {
                Assert.Equal(float.IsNaN(got) ? got : Nearest(got), found.Weights[i]);
            }
        }
    }

    private static float Round(double weight, int element, in AdamW8BitArguments call, in StepArguments step) =>
        call.Recipe switch
        {
            { Master: not null } or { Parameters: DType.Float32 } => (float)weight,
            { RoundsStochastically: true } => Stochastic((float)weight, element, call, step),
            _ => Nearest((float)weight),
        };

    private static float Nearest(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }

    /// <summary>Up in magnitude where the part cut off and 16 bits of Philox4x32-10 of (element, step, object) carry.</summary>
    private static float Stochastic(float value, int element, in AdamW8BitArguments call, in StepArguments step)
    {
        ulong octet = (ulong)((call.FirstElement + element) / 8);
        uint[] c = [(uint)octet, (uint)(octet >> 32), (uint)step.Step, (uint)call.Object * 4];
        var (low, high) = ((uint)step.Seed, (uint)(step.Seed >> 32));
        for (int round = 0; round < 10; round++)
        {
            ulong a = 0xD2511F53ul * c[0], b = 0xCD9E8D57ul * c[2];
            c = [(uint)(b >> 32) ^ c[1] ^ low, (uint)b, (uint)(a >> 32) ^ c[3] ^ high, (uint)a];
            (low, high) = (low + 0x9E3779B9u, high + 0xBB67AE85u);
        }

        int lane = (int)((call.FirstElement + element) % 8);
        uint random = (c[lane / 2] >> (lane % 2 * 16)) & 0xFFFF, bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsFinite(value) ? BitConverter.UInt32BitsToSingle((bits + random) & 0xFFFF0000) : EightBitState.RoundDown(value);
    }

    private static uint[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToUInt32Bits)];
}
