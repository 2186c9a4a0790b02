using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// An adapter on every matrix of the layers of every family: its gradients are what those of the merged model's own matrices make of them,
/// which PyTorch's hold to. dB = scale dW A^T and dA = scale B^T dW; with DoRA, whose lengths of rows n are constants in a gradient, of
/// dV = dW magnitude / n, and a magnitude's is the sum of dW V / n over its row of V = W + scale B A.
/// </summary>
public abstract class AdapterFamilyConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const string Prefix = "base_model.model.";

    /// <summary>Every family; on a slow device one of ten, and all of them in a soak run.</summary>
    public static TheoryData<string> Cases => [.. GoldenCase.AdaptedFamilies.Where((_, i) => IsSoak || !Device.IsSlow || i % 10 == 3)];

    /// <summary>Likewise, but for those in which it is refused: of what stands in attention's place, and of gated attention.</summary>
    public static TheoryData<string> CasesOfDora =>
        [.. Cases.Select(c => c.Data).Where(f => GoldenCase.OfFamily(f).Model is { HasStates: false, AttentionGate: false })];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_are_those_of_the_merged_matrices(string name) => Compare(name, dora: false);

    [Theory]
    [MemberData(nameof(CasesOfDora))]
    public void The_same_where_rows_have_lengths_of_their_own(string name) => Compare(name, dora: true);

    private static void Compare(string name, bool dora)
    {
        var golden = GoldenCase.OfFamily(name);
        var config = new AdapterConfig
        {
            Rank = 3,
            Alpha = 5,
            Targets = ModuleNames.AllLinear,
            RankPattern = [KeyValuePair.Create("v_proj", 2.0)],
            Excluded = dora ? ModuleNames.List(["k_proj"]) : null,
            UsesDora = dora,
        };
        var adapted = golden.Model.Adapting(config);
        using var checkpoint = Checkpoint.Open(golden.Folder);
        var weights = GoldenCase.Tensors(checkpoint.WeightsOf(golden.Model));
        foreach (var parameter in NamedParameter.All(adapted).Where(p => p.Spec.IsTrained))
        {
            weights[parameter.Name] = Numbers(parameter);
        }

        var source = new NamedWeights(adapted, NamedWeights.InMemory(adapted, weights));
        var got = Gradients(golden, adapted, source);
        var whole = Gradients(golden, golden.Model, new MergedWeights(source));
        var names = golden.File("gradients.safetensors").Keys.ToDictionary(GoldenCase.Alone);
        foreach (string a in got.Keys.Where(k => k.EndsWith(".lora_A.weight", StringComparison.Ordinal)))
        {
            string module = a[Prefix.Length..^".lora_A.weight".Length], b = $"{Prefix}{module}.lora_B.weight";
            var matrix = NamedParameter.All(golden.Model).Single(p => p.Name == module + ".weight");
            float[] gradient = Across(matrix, whole[matrix.Name]);
            double bound = Math.Max(1e-5, 3 * golden.PyTorchError("pytorch_float32", "gradient_relative_l2", names[matrix.Name]));
            int rank = config.RankOf(module);
            if (dora)
            {
                string m = $"{Prefix}{module}.lora_magnitude_vector";
                float[] own = Across(matrix, weights[matrix.Name]);
                Check(m, got[m], Rows(own, gradient, weights[a], weights[b], weights[m], config.ScaleOf(module)), bound);
            }

            var (wantA, wantB) = Expected(gradient, weights[a], weights[b], rank, config.ScaleOf(module));
            Check(a, got[a], wantA, bound);
            Check(b, got[b], wantB, bound);
        }
    }

    // As a family's gradients are held: to 1e-5, or to three times PyTorch's own error of the matrix.
    private static void Check(string tensor, float[] got, float[] want, double bound)
    {
        double error = GoldenCase.RelativeL2(got, want);
        Assert.True(error <= bound, $"{tensor}: relative error {error:g3}, bound {bound:g3}");
    }

    private static (float[] A, float[] B) Expected(float[] gradient, float[] a, float[] b, int rank, double scale)
    {
        int rows = b.Length / rank, columns = a.Length / rank;
        double[] wantA = new double[a.Length], wantB = new double[b.Length];
        for (int i = 0; i < rows; i++)
        {
            for (int k = 0; k < rank; k++)
            {
                for (int j = 0; j < columns; j++)
                {
                    double g = gradient[(i * columns) + j];
                    wantB[(i * rank) + k] += scale * g * a[(k * columns) + j];
                    wantA[(k * columns) + j] += scale * g * b[(i * rank) + k];
                }
            }
        }

        return ([.. wantA.Select(x => (float)x)], [.. wantB.Select(x => (float)x)]);
    }

    /// <summary>The gradient of the magnitudes; that of the matrix becomes that of V.</summary>
    private static float[] Rows(float[] own, float[] gradient, float[] a, float[] b, float[] magnitudes, double scale)
    {
        int rows = magnitudes.Length, columns = own.Length / rows, rank = a.Length / columns;
        float[] want = new float[rows];
        for (int i = 0; i < rows; i++)
        {
            double squares = 0, sum = 0;
            for (int j = 0; j < columns; j++)
            {
                double v = own[(i * columns) + j];
                for (int k = 0; k < rank; k++)
                {
                    v += scale * b[(i * rank) + k] * a[(k * columns) + j];
                }

                squares += v * v;
                sum += v * gradient[(i * columns) + j];
            }

            want[i] = (float)(sum / Math.Sqrt(squares));
            for (int j = 0; j < columns; j++)
            {
                gradient[(i * columns) + j] *= (float)(magnitudes[i] / Math.Sqrt(squares));
            }
        }

        return want;
    }

    /// <summary>[out, in], whichever way the checkpoint has it.</summary>
    private static float[] Across(NamedParameter matrix, float[] stored)
    {
        if (!matrix.Part.IsTransposed)
        {
            return [.. stored];
        }

        int columns = (int)matrix.Part.Shape[1], rows = stored.Length / columns;
        float[] across = new float[stored.Length];
        for (int i = 0; i < stored.Length; i++)
        {
            across[(i % columns * rows) + (i / columns)] = stored[i];
        }

        return across;
    }

    private static Dictionary<string, float[]> Gradients(GoldenCase golden, ModelConfig model, IWeightSource weights)
    {
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(32)) with { Model = model };
        var plan = Verified(GoldenCase.Tight(request));
        using var device = Device.Open(plan.Schedule, plan.Workload, 1);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW);
        return GoldenCase.Tensors(trainer.Gradients);
    }

    /// <summary>Small numbers of either sign; lengths of rows around 1.</summary>
    private static float[] Numbers(NamedParameter parameter)
    {
        ulong key = SplitMix64.Mix((ulong)parameter.Name.Sum(c => (long)c * 31));
        float around = parameter.Spec.Rows == 1 ? 1 : 0;
        float Number(int i) => around + ((((SplitMix64.At(key, (ulong)i) >> 40) / (float)(1 << 24)) - 0.5f) / 4);
        return [.. Enumerable.Range(0, (int)parameter.Part.ElementCount).Select(Number)];
    }
}
