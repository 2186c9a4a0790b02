using System.Runtime.InteropServices;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Muon of one matrix against its definition in float64, in every recipe and shape; the iteration alone against torch's of
/// tests/golden-optimizers/newton-schulz; the same bits whatever the threads and wherever the matrix lies.
/// </summary>
public abstract class MuonConformance<TKernels>
    where TKernels : KernelsUnderTest, new()
{
    private const int Steps = 8;
    private const float Clip = 0.5f;

    // What an iteration in bf16 is off by where all singular values count: torch's own is 1.4% to 1.6% off on such matrices.
    private const double BFloat16Error = 0.03;

    private static readonly MuonMatrix[] s_shapes =
    [
        new(24, 24, false),
        new(16, 40, false),
        new(40, 16, false),
        new(33, 17, false),
        new(10, 42, true),
        new(42, 10, true),
        new(1, 7, false),
        new(7, 1, false),
        new(51, 90, false),
        new(20, 1_640, false), // more than a block of the CPU's
    ];

    /// <summary>Skips every test, with the reason, where there is no such device.</summary>
    protected MuonConformance() => Assert.SkipWhen(Kernels.Lack is not null, Kernels.Lack ?? "");

    private static TKernels Kernels { get; } = new();

    /// <summary>Recipes and shapes.</summary>
    public static TheoryData<string, int> Cases =>
        [.. Recipe.All.SelectMany(r => Enumerable.Range(0, s_shapes.Length).Select(s => (r.Name, s)))];

    /// <summary>All matrices.</summary>
    public static TheoryData<string> Matrices
    {
        get
        {
            using var file = SafetensorsFile.Open(GoldenFile);
            return [.. file.Tensors.Select(t => t.Name).Where(n => n.EndsWith(".input", StringComparison.Ordinal)).Select(n => n[..^6])];
        }
    }

    private static string Golden { get; } =
        Path.Combine(Path.GetDirectoryName(new GoldenCase("llama-small").Folder)! + "-optimizers", "newton-schulz");

    private static string GoldenFile { get; } = Path.Combine(Golden, "newton_schulz.safetensors");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Eight_steps_are_the_definition(string dtype, int shape)
    {
        var (recipe, matrix) = (Recipe.All.Single(r => r.Name == dtype), s_shapes[shape]);
        foreach (bool nesterov in new[] { true, false })
        {
            foreach (var adjustment in Enum.GetValues<MuonAdjustment>())
            {
                bool grouped = nesterov == (adjustment == MuonAdjustment.Original);
                using var memory = new MuonMemory(Kernels, matrix, recipe)
                {
                    Adjustment = adjustment,
                    Group = grouped ? new UpdateScale(0.5f, 0.25f, 0.125f) : UpdateScale.One,
                };
                Follow(memory, matrix, recipe, nesterov, clips: grouped);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Matrices))]
    public void The_iteration_is_torchs_in_float64_and_no_worse_in_bfloat16(string name)
    {
        using var file = SafetensorsFile.Open(GoldenFile);
        float[] Values(string part)
        {
            var tensor = file.Find($"{name}.{part}")!;
            float[] values = new float[tensor.Count];
            tensor.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return values;
        }

        string[] words = name.Split('.', 5); // number, kind, shape, steps, a with its fraction
        int[] sides = [.. words[2].Split('x').Select(int.Parse)];
        var iteration =
            words[4] == "a2.0" ? new NewtonSchulz(2, -1.5, 0.5, 10)
            : words[4] == "a3.4445" ? NewtonSchulz.Muon
            : throw new InvalidOperationException($"{name} has other coefficients");
        Assert.Equal($"steps{iteration.Steps}", words[3]);
        var matrix = new MuonMatrix(sides[0], sides[1], false);
        float[] exact = Values("float64"), torchs = Values("bfloat16");

        double single = Error(Iterate(matrix, Recipe.Fp32, iteration, Values("input")), exact), yardstick = TorchsSingle(name);
        Assert.True(single <= Math.Max(1e-6, 3 * yardstick), $"fp32 is {single:g3} off, torch's {yardstick:g3}");

        // Where singular values lie below the noise of bf16 two right computations differ by as much as they are off.
        if (words[1] is not ("rank1" or "decaying"))
        {
            double half = Error(Iterate(matrix, Recipe.Bf16Master, iteration, Values("input")), exact);
            Assert.True(half <= 1.5 * Error(torchs, exact), $"bf16 is {half:g3} off, torch's {Error(torchs, exact):g3}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Neither_the_order_nor_the_place_changes_a_bit(string dtype, int shape)
    {
        var (recipe, matrix) = (Recipe.All.Single(r => r.Name == dtype), s_shapes[shape]);
        byte[] Bits(int before, int order, int number = 3)
        {
            using var memory = new MuonMemory(Kernels, matrix, recipe, before, order) { Object = number };
            memory.Set(Random(matrix, 1, 0.05f));
            for (int step = 1; step <= 2; step++)
            {
                memory.Gradients = Random(matrix, 10 + step, 0.01f);
                memory.Step(new StepArguments(step, Settings(nesterov: true), 1, Clip, Seed: 5), norm: step);
            }

            return memory.Bits();
        }

        byte[] first = Bits(0, 0);
        Assert.Equal(first, Bits(0, 1));
        Assert.Equal(first, Bits(0, 2));
        byte[] elsewhere = Bits(13, 0);
        Assert.Equal(elsewhere, Bits(13, 1));
        if (recipe.RoundsStochastically)
        {
            Assert.False(first.AsSpan().SequenceEqual(Bits(0, 0, number: 4)), "another object has the same random bits");
            Assert.False(first.AsSpan().SequenceEqual(elsewhere), "other elements have the same random bits");
        }
        else
        {
            AssertNear(first, elsewhere);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(13)]
    [InlineData(2_051)]
    public void Random_bits_are_those_of_an_elementwise_update_of_the_object(int before)
    {
        var matrix = new MuonMatrix(32, 64, false); // a tile, and where it begins within eight elements one more
        float[] weights = Random(matrix, 4, 0.05f), gradient = Random(matrix, 5, 0.01f), zeros = new float[matrix.Count];
        var arguments = new StepArguments(2, new OptimizerSettings(0.3f, 0.75f, 0.75f, 1, 0.1f) { Momentum = 0.75f }, 1, Seed: 77);
        (float[] Weights, float[] Momentum) Muon(float[] g)
        {
            using var memory = new MuonMemory(Kernels, matrix, Recipe.Bf16Stochastic, before) { Gradients = g };
            memory.Set(weights);
            memory.Step(arguments);
            return (memory.Parameters, memory.Moments);
        }

        (float[] Weights, float[] Momentum) Elementwise(float[] g)
        {
            var all = new MuonMatrix(1, before + (int)matrix.Count, false);
            using var memory = new MuonMemory(Kernels, all, Recipe.Bf16Stochastic) { Gradients = [.. new float[before], .. g] };
            memory.Set([.. new float[before], .. weights]);
            memory.StepOfAdamW(arguments);
            return (memory.Parameters[before..], memory.Moments[before..]);
        }

        // Without a gradient both do nothing to weights but let them decay, and AdamW's first moment is Muon's momentum.
        Assert.Equal(Elementwise(zeros).Weights, Muon(zeros).Weights);
        Assert.NotEqual(weights.Select(w => MuonMemory.Widened(MuonMemory.Rounded(w))), Muon(zeros).Weights);
        Assert.Equal(Elementwise(gradient).Momentum, Muon(gradient).Momentum);
    }

    [Theory]
    [InlineData(1.5, -0.5, 0, 12)]
    [InlineData(1.25, 0, -0.25, 7)]
    [InlineData(1.875, -1.25, 0.375, 6)]
    public void Other_coefficients_are_the_definition_too(double a, double b, double c, int steps)
    {
        var iteration = new NewtonSchulz(a, b, c, steps);
        foreach (var matrix in new[] { new MuonMatrix(12, 20, false), new MuonMatrix(20, 12, false) })
        {
            float[] input = Random(matrix, 6, 1);
            var replay = new MuonReplay(matrix, iteration);
            replay.Step([.. input.Select(i => (double)i)], new OptimizerSettings(1, 0, 0, 0, 0), 1, 0, MuonAdjustment.Original);
            float[] want = [.. replay.Moved.Select(m => (float)(m / matrix.RateOf(MuonAdjustment.Original)))];
            Assert.InRange(Error(Iterate(matrix, Recipe.Fp32, iteration, input), want), 0, 1e-5);
            Assert.InRange(Error(Iterate(matrix, Recipe.Bf16Master, iteration, input), want), 0, BFloat16Error);
        }
    }

    [Fact]
    public void What_cannot_be_computed_is_refused()
    {
        var matrix = new MuonMatrix(6, 4, false);
        using var memory = new MuonMemory(Kernels, matrix, Recipe.Fp32);
        var stream = new KernelStream(null!);
        var right = memory.Update(clips: false);
        Assert.Throws<ArgumentException>(() => (right with { Matrix = new MuonMatrix(6, 5, false) }).Run(stream));
        Assert.Throws<ArgumentException>(() => (right with { Scratch = right.Scratch + 128 }).Run(stream));
        Assert.Throws<ArgumentException>(() => (right with { Iteration = right.Iteration with { Steps = 0 } }).Run(stream));
    }

    /// <summary>Step after step from the device's own state, and for master and fp32 weights from the beginning too.</summary>
    private static void Follow(MuonMemory memory, MuonMatrix matrix, Recipe recipe, bool nesterov, bool clips)
    {
        var settings = Settings(nesterov);
        var (rateFactor, decayFactor, own) = memory.Group;
        double rate = (double)settings.LearningRate * rateFactor, decay = ((double)settings.WeightDecay * decayFactor) + own;
        memory.Set(Random(matrix, 1, 0.05f));
        float[] start = memory.Stored;
        MuonReplay step = new(matrix, NewtonSchulz.Muon), all = new(matrix, NewtonSchulz.Muon);
        all.Set(start, new float[matrix.Count]);
        bool keepsAll = recipe.Parameters == DType.Float32 || recipe.Master is not null;
        for (int number = 1; number <= Steps; number++)
        {
            memory.Gradients = Random(matrix, 10 + number, 0.01f);
            double? norm = clips ? 0.3 * number : null;
            double factor = clips ? Math.Min(1, Clip / (norm!.Value + 1e-6)) : 1;
            double[] gradient = [.. memory.Gradients.Select(g => g * factor)];
            step.Set(memory.Stored, memory.Moments);
            memory.Step(new StepArguments(number, settings, 1, Clip, Seed: 9), norm);
            step.Step(gradient, settings, rate, decay, memory.Adjustment);
            if (keepsAll)
            {
                all.Step(gradient, settings, rate, decay, memory.Adjustment);
            }

            AssertMomentum(recipe, memory.Moments, step.Momentum, gradient);
            AssertWeights(recipe, memory.Stored, step);
            if (recipe.Master is not null)
            {
                Assert.Equal(memory.Stored.Select(w => MuonMemory.Widened(MuonMemory.Rounded(w))), memory.Parameters);
            }
        }

        if (keepsAll)
        {
            double error = Error(
                [.. memory.Stored.Zip(start, (w, s) => w - s)],
                [.. all.Weights.Zip(start, (w, s) => (float)(w - s))]
            );
            double bound = recipe.Activations == DType.Float32 ? 1e-5 : BFloat16Error;
            Assert.True(error <= bound, $"{matrix}: the change in {Steps} steps is {error:g3} off, bound {bound:g3}");
        }
    }

    private static void AssertMomentum(Recipe recipe, float[] got, double[] want, double[] gradient)
    {
        // One rounding to the type, of which a stochastic one may be a whole step, and some in fp32.
        double rounding =
            recipe.Moments == DType.Float32 ? 0
            : recipe.RoundsStochastically ? 1.0 / 128
            : 1.0 / 256;
        for (int i = 0; i < got.Length; i++)
        {
            double allowed = (rounding * 1.01 * Math.Abs(want[i])) + (4e-7 * (Math.Abs(want[i]) + Math.Abs(gradient[i])));
            Assert.True(Math.Abs(got[i] - want[i]) <= allowed, $"momentum {i}: {got[i]:g9} instead of {want[i]:g9}");
        }
    }

    private static void AssertWeights(Recipe recipe, float[] got, MuonReplay want)
    {
        double rounding =
            recipe.Parameters == DType.Float32 || recipe.Master is not null ? 1.2e-7
            : recipe.RoundsStochastically ? 1.0 / 128
            : 1.0 / 256;
        double direction = recipe.Activations == DType.Float32 ? 1e-5 : BFloat16Error;
        double error = Norm(got.Zip(want.Weights, (g, w) => g - w));
        double allowed = (rounding * Norm(want.Weights)) + (direction * Norm(want.Moved));
        Assert.True(error <= allowed, $"weights are {error:g3} off, of {Norm(want.Moved):g3} that they moved; allowed {allowed:g3}");
    }

    /// <summary>The iteration alone: of a zero matrix, moved by a rate of 1 without momentum or decay.</summary>
    private static float[] Iterate(MuonMatrix matrix, Recipe recipe, NewtonSchulz iteration, float[] input)
    {
        using var memory = new MuonMemory(Kernels, matrix, recipe) { Iteration = iteration };
        memory.Set(new float[matrix.Count]);
        memory.Gradients = input;
        memory.Step(new StepArguments(1, new OptimizerSettings(1, 0, 0, 0, 0), 1));
        double scale = matrix.RateOf(MuonAdjustment.Original);
        return [.. memory.Stored.Select(w => (float)(-w / scale))];
    }

    /// <summary>What torch's own iteration in float32 is off by.</summary>
    private static double TorchsSingle(string name) =>
        JsonDocument
            .Parse(File.ReadAllText(Path.Combine(Golden, "expected.json")))
            .RootElement.GetProperty("matrices")
            .EnumerateArray()
            .Single(m => m.GetProperty("name").GetString() == name)
            .GetProperty("torch_float32_relative_l2")
            .GetDouble();

    private static OptimizerSettings Settings(bool nesterov) =>
        new(0.02f, 0, 0, 0, 0.1f) { Momentum = 0.95f, Nesterov = nesterov ? 1 : 0 };

    private static float[] Random(MuonMatrix matrix, int seed, float size)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, (int)matrix.Count).Select(_ => size * (float)Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()))
            * (float)Math.Cos(2 * Math.PI * random.NextDouble()))];
    }

    /// <summary>Elements of a sum meet in another order where groups begin elsewhere: norms may differ in their last bits.</summary>
    private static void AssertNear(byte[] a, byte[] b)
    {
        float[] Floats(byte[] bits) => MemoryMarshal.Cast<byte, float>(bits).ToArray();
        Assert.True(Error(Floats(b), Floats(a)) <= 1e-6);
    }

    private static double Norm(IEnumerable<double> values) => Math.Sqrt(values.Sum(v => v * v));

    private static double Error(float[] got, float[] want)
    {
        double norm = Norm(want.Select(w => (double)w));
        double difference = Norm(got.Zip(want, (g, w) => (double)g - w));
        return norm == 0 ? difference : difference / norm;
    }
}
