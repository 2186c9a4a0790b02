using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Conformance;

/// <summary>
/// AdamW with 8-bit moments on a device: torchao's blocks and steps, codes and scales to the bit; every recipe against the definition; and
/// what is not finite.
/// </summary>
public abstract class EightBitMomentsConformance<TKernels>
    where TKernels : KernelsUnderTest, new()
{
    private const int BlockElements = DynamicMap.BlockElements;

    // More than the blocks of one launch's block of threads, and no multiple of those.
    private const int Count = 37 * BlockElements;

    private static readonly OptimizerSettings s_settings = new(2e-3f, 0.9f, 0.95f, 1e-8f, 0.1f);

    /// <summary>Skips every test, with the reason, where there is no such device.</summary>
    protected EightBitMomentsConformance() => Assert.SkipWhen(Kernels.Lack is not null, Kernels.Lack ?? "");

    private static TKernels Kernels { get; } = new();

    /// <summary>All recipes.</summary>
    public static TheoryData<string> Recipes => [.. Recipe.All.Select(r => r.Name)];

    [Fact]
    public void Eight_steps_are_torchaos()
    {
        var golden = new MomentGolden("steps");
        float[] start = golden.Floats("parameter_before"), gradients = golden.Floats("gradients");
        int count = start.Length, blocks = count / BlockElements;
        var state = EightBitState.Start(start, Recipe.Fp32);
        for (int step = 0; step < 8; step++)
        {
            var (elements, scales) = (new Range(step * count, (step + 1) * count), new Range(step * blocks, (step + 1) * blocks));
            state = state.After(Kernels, gradients[elements], Call(Recipe.Fp32), [], new StepArguments(step + 1, s_settings, 1));
            Assert.Equal(golden.Codes("m.codes.after_each_step")[elements], state.FirstCodes);
            Assert.Equal(golden.Codes("v.codes.after_each_step")[elements], state.SecondCodes);
            Assert.Equal(golden.Floats("m.scale.after_each_step")[scales], state.FirstScales);
            Assert.Equal(golden.Floats("v.scale.after_each_step")[scales], state.SecondScales);
            float[] want = golden.Floats("parameter.after_each_step")[elements];

            // Either side rounds weights that are some 500 times as large as what a step moves them by: 2 * 500 * 2^-24.
            double off = GoldenCase.RelativeL2(Moved(state.Weights, start), Moved(want, start));
            Assert.True(off <= 6e-5, $"after step {step + 1} the change is off by {off:g3}");
        }
    }

    [Fact]
    public void First_moments_of_hard_blocks_have_torchaos_codes_and_scales()
    {
        // Without memory the moment is the gradient itself.
        var golden = new MomentGolden("blocks");
        float[] input = golden.Floats("signed.input");
        var state = EightBitState
            .Start(new float[input.Length], Recipe.Fp32)
            .After(Kernels, input, Call(Recipe.Fp32), [], new StepArguments(1, s_settings with { Beta1 = 0 }, 1));
        Assert.Equal(golden.Codes("signed.codes"), state.FirstCodes);
        Assert.Equal(golden.Floats("signed.scale"), state.FirstScales);
    }

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Three_steps_are_the_definition(string name)
    {
        var recipe = Recipe.All.Single(r => r.Name == name);
        var random = new Random(21);
        var state = EightBitState.Start(Normal(random, 1), recipe);
        var call = Call(recipe);
        for (int step = 1; step <= 3; step++)
        {
            // The second step is clipped, by a factor that is not exact.
            double[] norms = step == 2 ? [9, 7] : [];
            var arguments = new StepArguments(step, s_settings, 1, step == 2 ? 3 : float.PositiveInfinity, Seed: 77);
            float clip = step == 2 ? (float)(3 / (4 + 1e-6)) : 1;
            float[] gradient = Gradient(random, recipe);
            var replay = EightBitReplay.Of(state, gradient, call, clip, arguments);
            state = state.After(Kernels, gradient, call, norms, arguments);
            replay.AssertIs(state, call, arguments);
        }
    }

    [Fact]
    public void Codes_are_the_definitions_beside_every_threshold()
    {
        // In each block a 1, so that the scale is 1; second moments are squares, whose roots stand beside the thresholds.
        var numbers = new List<float>();
        for (int code = 1; code < 256; code++)
        {
            float signed = DynamicMap.Signed.Thresholds[code], root = MathF.Sqrt(DynamicMap.Unsigned.Thresholds[code]);
            numbers.AddRange([MathF.BitDecrement(signed), signed, MathF.BitDecrement(root), root, -MathF.BitIncrement(root)]);
        }

        float[] gradient =
        [
            .. numbers
                .Where(n => MathF.Abs(n) < 1)
                .Chunk(BlockElements - 1)
                .SelectMany(c => (float[])[1, .. c, .. new float[BlockElements - 1 - c.Length]]),
        ];
        AssertDefined(gradient, s_settings with { Beta1 = 0, Beta2 = 0 });
    }

    [Fact]
    public void Zeros_huge_and_tiny_gradients_and_what_is_no_number_have_defined_results()
    {
        var random = new Random(3);
        float[] gradient = Normal(random, 1)[..(8 * BlockElements)];
        void Scale(int block, float by)
        {
            for (int i = 0; i < BlockElements; i++)
            {
                gradient[(block * BlockElements) + i] *= by;
            }
        }

        Scale(0, 0);
        Scale(1, 1e-41f); // denormals
        Scale(2, 1e-9f); // squares below the least scale
        Scale(3, 1e25f); // squares are infinite
        gradient[(4 * BlockElements) + 77] = float.NaN;
        gradient[(5 * BlockElements) + 200] = float.PositiveInfinity;
        gradient[(6 * BlockElements) + 3] = -100; // the largest is negative, and there is no -1
        var (first, second) = AssertDefined(gradient, s_settings);
        Assert.All(first.FirstCodes[..BlockElements], c => Assert.Equal(127, c));
        Assert.All(first.SecondCodes[..BlockElements], c => Assert.Equal(0, c));
        Assert.Equal((DynamicMap.LeastScale, DynamicMap.LeastScale), (first.FirstScales[0], first.SecondScales[0]));
        Assert.Equal(0x7FC00000u, BitConverter.SingleToUInt32Bits(first.FirstScales[4]));
        Assert.Equal(float.PositiveInfinity, first.FirstScales[5]);
        Assert.Equal(0, first.FirstCodes[(6 * BlockElements) + 3]);

        // The number itself makes a NaN at once, and its block with the next step; other blocks never see it.
        Assert.Equal(1, first.Weights.AsSpan(4 * BlockElements, BlockElements).ToArray().Count(float.IsNaN));
        Assert.All(second.Weights[(4 * BlockElements)..(6 * BlockElements)], w => Assert.True(float.IsNaN(w)));
        Assert.All(second.Weights[(6 * BlockElements)..], w => Assert.True(float.IsFinite(w)));
        Assert.All(second.Weights[..(3 * BlockElements)], w => Assert.True(float.IsFinite(w)));
    }

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Cuts_between_blocks_change_no_bit(string name)
    {
        var recipe = Recipe.All.Single(r => r.Name == name);
        var random = new Random(5);
        var start = EightBitState.Start(Normal(random, 1), recipe);
        float[] gradient = Gradient(random, recipe);
        var arguments = new StepArguments(4, s_settings, 1, Seed: 1ul << 40);
        var whole = start.After(Kernels, gradient, Call(recipe), [], arguments);
        foreach (int cut in new[] { BlockElements, 17 * BlockElements, 36 * BlockElements })
        {
            var call = Call(recipe);
            foreach (var (from, to) in new[] { (0, cut), (cut, Count) })
            {
                var part = start.Part(from, to).After(
                    Kernels, gradient[from..to], call with { FirstElement = call.FirstElement + from }, [], arguments);
                Assert.Equal(whole.Part(from, to).Bits(), part.Bits());
            }
        }
    }

    [Fact]
    public void Factors_are_those_of_the_steps_rate_and_decay()
    {
        var random = new Random(6);
        var start = EightBitState.Start(Normal(random, 1), Recipe.Fp32);
        float[] gradient = Gradient(random, Recipe.Fp32);
        var call = Call(Recipe.Fp32) with { Scale = new UpdateScale(0.5f, 0, 0.375f) };
        var factors = start.After(Kernels, gradient, call, [], new StepArguments(2, s_settings, 1));
        var own = s_settings with { LearningRate = s_settings.LearningRate / 2, WeightDecay = 0.375f };
        var same = start.After(Kernels, gradient, Call(Recipe.Fp32), [], new StepArguments(2, own, 1));
        Assert.Equal(same.Bits(), factors.Bits());
        Assert.NotEqual(start.After(Kernels, gradient, Call(Recipe.Fp32), [], new StepArguments(2, s_settings, 1)).Bits(), factors.Bits());
    }

    [Fact]
    public void Blocks_that_are_cut_are_refused()
    {
        var message = Assert.Throws<ArgumentException>(() => Of(300, 40)).Message;
        Assert.Contains("300 elements from 40 on are not whole blocks of 256", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Of(BlockElements, 44));

        static EightBitState Of(int count, long first) =>
            EightBitState
                .Start(new float[count], Recipe.Fp32)
                .After(Kernels, new float[count], Call(Recipe.Fp32) with { FirstElement = first }, [], new StepArguments(1, s_settings, 1));
    }

    /// <summary>Two steps with the same gradient, both as they are defined.</summary>
    private static (EightBitState First, EightBitState Second) AssertDefined(float[] gradient, OptimizerSettings settings)
    {
        var states = new List<EightBitState> { EightBitState.Start(Normal(new Random(4), 1, gradient.Length), Recipe.Fp32) };
        var call = Call(Recipe.Fp32);
        for (int step = 1; step <= 2; step++)
        {
            var arguments = new StepArguments(step, settings, 1);
            var replay = EightBitReplay.Of(states[^1], gradient, call, 1, arguments);
            states.Add(states[^1].After(Kernels, gradient, call, [], arguments));
            replay.AssertIs(states[^1], call, arguments);
        }

        return (states[1], states[2]);
    }

    // Of a tensor that begins inside its object.
    private static AdamW8BitArguments Call(Recipe recipe) =>
        new()
        {
            Weights = 0,
            Gradient = 0,
            FirstCodes = 0,
            FirstScales = 0,
            SecondCodes = 0,
            SecondScales = 0,
            Master = 0,
            Object = 3,
            FirstElement = 40,
            Count = 0,
            Recipe = recipe,
            Norms = 0,
            NormCount = 0,
            Scale = UpdateScale.One,
        };

    /// <summary>Over five powers of ten, exact in the recipe's type; some are 0.</summary>
    private static float[] Gradient(Random random, Recipe recipe) =>
        [
            .. Normal(random, 1)
                .Select(n => random.Next(16) == 0 ? 0 : n * MathF.Pow(10, -5 * random.NextSingle()))
                .Select(n => recipe.Gradients == DType.BFloat16 ? EightBitState.RoundDown(n) : n),
        ];

    private static float[] Normal(Random random, float scale, int count = Count) =>
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ =>
                    (float)(scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))
                ),
        ];

    private static float[] Moved(float[] to, float[] from) => [.. to.Zip(from, (a, b) => a - b)];
}
