using System.Buffers;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The values that training starts from, as a function of seed, tensor and element: any piece can be made alone, in any order, by
/// any thread, and is the same on every machine (integers, correctly rounded operations, no library functions).
/// Their distributions are those of <see cref="ParameterSpec.Initial"/>.
/// </summary>
public static class WeightInitialiser
{
    /// <summary>Fills <paramref name="destination"/> with consecutive elements of a tensor.</summary>
    /// <param name="seed">Another seed gives unrelated values.</param>
    /// <param name="weights">The object that holds the tensor.</param>
    /// <param name="tensor">Of that object's layout.</param>
    /// <param name="firstElement">From the tensor's start.</param>
    /// <param name="destination">Its length says how many.</param>
    public static void Fill(ulong seed, ParameterObject weights, WeightTensor tensor, long firstElement, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstElement + destination.Length, tensor.Count);
        ulong key = Key(seed, weights, tensor.Name);
        switch (tensor.Spec.Initial)
        {
            case InitialValues.Constant constant:
                destination.Fill(constant.Value);
                break;
            case InitialValues.Normal normal:
                FillNormal(key, firstElement, normal.Deviation, destination);
                break;
            case InitialValues.Uniform uniform:
                FillUniform(key, firstElement, uniform.Bound, destination);
                break;
            case InitialValues.LogarithmOfUniform { Least: var least, Most: var most }:
                FillUniform(key, firstElement, 1, destination);
                foreach (ref float value in destination)
                {
                    value = (float)Logarithm(least + ((most - least) * 0.5 * (1 + (double)value)));
                }

                break;
            case InitialValues.StepsOfLogUniform { Least: var least, Most: var most, Floor: var floor }:
                FillUniform(key, firstElement, 1, destination);
                foreach (ref float value in destination)
                {
                    double step = least * Exponential(Logarithm(most / least) * 0.5 * (1 + (double)value));
                    value = (float)Logarithm(Exponential(Math.Max(step, floor)) - 1);
                }

                break;
            case InitialValues.LogarithmOfPlace:
                for (int i = 0; i < destination.Length; i++)
                {
                    destination[i] = (float)Logarithm(firstElement + i + 1);
                }

                break;
            default:
                throw new InvalidOperationException($"{tensor.Name} has no initial values");
        }
    }

    /// <summary>The initial values as a source of weights.</summary>
    public static IWeightSource Weights(ModelConfig model, ulong seed) => new Source(model, seed);

    private static ulong Key(ulong seed, ParameterObject weights, WeightName name)
    {
        ulong identity = ((ulong)weights.Kind << 48) | ((ulong)weights.Layer.Index << 16) | (ulong)name;
        return SplitMix64.Mix(SplitMix64.Mix(seed) + identity);
    }

    /// <summary>
    /// Of a positive number: that of its power of two, and the series of the area tangent for what is left, between 1 and 2.
    /// </summary>
    private static double Logarithm(double x)
    {
        const double Two = 0.69314718055994531;
        int power = Math.ILogB(x);
        double rest = Math.ScaleB(x, -power), ratio = (rest - 1) / (rest + 1), square = ratio * ratio, sum = 0;
        for (int term = 35; term > 0; term -= 2)
        {
            sum = (sum * square) + (2.0 / term);
        }

        return (power * Two) + (ratio * sum);
    }

    /// <summary>By the series, of what is left of a multiple of ln 2: the same on any machine.</summary>
    private static double Exponential(double x)
    {
        const double Two = 0.69314718055994531;
        double power = Math.Floor(x / Two), rest = x - (power * Two), sum = 1;
        for (int term = 20; term > 0; term--)
        {
            sum = 1 + (sum * rest / term);
        }

        return Math.ScaleB(sum, (int)power);
    }

    private static void FillUniform(ulong key, long first, double bound, Span<float> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            // 53 bits as an odd multiple of 2^-53 in (-1, 1): symmetric, never 0.
            long bits = (long)(SplitMix64.At(key, (ulong)(first + i)) >> 11);
            destination[i] = (float)(bound * (((2 * bits) + 1 - (1L << 53)) * (1.0 / (1L << 53))));
        }
    }

    /// <summary>
    /// The sum of eight 16-bit uniform numbers, exact in integers: close to normal, with thinner tails (nothing beyond 4.9 deviations).
    /// </summary>
    private static void FillNormal(ulong key, long first, double deviation, Span<float> destination)
    {
        const int terms = 8;
        // A uniform whole number below 2^16 has variance (2^32 - 1) / 12.
        double scale = deviation / Math.Sqrt(terms * ((double)uint.MaxValue / 12));
        const double mean = terms * ((1 << 16) - 1) / 2.0;
        for (int i = 0; i < destination.Length; i++)
        {
            ulong counter = 2 * (ulong)(first + i);
            long sum = SumOfFour(SplitMix64.At(key, counter)) + SumOfFour(SplitMix64.At(key, counter + 1));
            destination[i] = (float)(scale * (sum - mean));
        }
    }

    private static long SumOfFour(ulong bits) => (long)((bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48));

    private sealed class Source(ModelConfig model, ulong seed) : IWeightSource
    {
        private const int PieceElements = 1 << 14;

        private readonly ObjectLayouts _layouts = new(model);

        public ModelConfig Model => model;

        public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
        {
            destination.Clear();
            int size = (int)type.Size();
            float[] values = ArrayPool<float>.Shared.Rent(PieceElements);
            foreach (var range in ElementRanges.Of(_layouts[weights], firstElement, destination.Length / size))
            {
                var target = range.In(destination, type);
                for (int done = 0; done < range.Count; done += PieceElements)
                {
                    var piece = values.AsSpan(0, Math.Min(PieceElements, range.Count - done));
                    Fill(seed, weights, range.Tensor, range.FirstElement + done, piece);
                    ElementConversion.FromFloats(piece, target[(done * size)..], type);
                }
            }

            ArrayPool<float>.Shared.Return(values);
        }
    }
}
