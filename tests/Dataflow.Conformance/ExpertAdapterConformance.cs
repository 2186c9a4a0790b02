using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// An adapter on the experts of every family of mixtures, and on attention beside them: its gradients are what those of the merged model's
/// own experts make of them, dB = scale dW A^T and dA = scale B^T dW of each, with the same bits in any memory. An adapter's file has A and
/// B of each expert, or, where a checkpoint has one tensor of all, one A [E r, in], experts one behind the other, and one B [out, r E],
/// whose columns are by rank and of one rank by expert.
/// </summary>
public abstract class ExpertAdapterConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const string Prefix = "base_model.model.";
    private const string A = ".lora_A.weight";
    private const string B = ".lora_B.weight";

    private static readonly SaveSet?[] s_saveSets = [SaveSet.None, SaveSet.All, SaveSet.Kv | SaveSet.Attention];

    /// <summary>
    /// Every mixture whose experts can have one; on a slow device those of gpt-oss and one whose experts are tensors each.
    /// </summary>
    public static TheoryData<string> Cases =>
        [.. GoldenCase.AdaptedFamilies.Where(f => IsSoak || !Device.IsSlow || f is "gpt-oss" or "mixtral-idle").Where(HasExperts)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_are_those_of_the_merged_experts(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        var config = Config(golden.Model);
        var (adapted, source) = Adapted(golden, config);
        var got = Gradients(golden, adapted, source, Recipe.Fp32, null);
        var whole = Gradients(golden, golden.Model, new MergedWeights(source), Recipe.Fp32, null);
        var weights = GoldenCase.Tensors(source);
        var named = NamedParameter.All(golden.Model).ToList();
        var experts = named.Where(p => p.Spec.Name is WeightName.ExpertGateUp or WeightName.ExpertDown).ToList();
        Assert.All(got.Keys, k => Assert.Contains("lora", k, StringComparison.Ordinal));
        foreach (var matrix in experts)
        {
            int count = golden.Model.KindOf(matrix.Layer!.Value).Experts!.Count;
            if (matrix.Part.Shape.Length == 2)
            {
                string module = Prefix + matrix.Name[..^".weight".Length];
                Compare(got, weights, module, whole[matrix.Name], Expert.Alone(config.RankOf(module), matrix.Part.Shape), config);
                continue;
            }

            // The module of both is wrapped twice, the one that comes later outside.
            string stack = Prefix + matrix.Name[..matrix.Name.LastIndexOf('.')];
            stack += matrix.Spec.Name == WeightName.ExpertGateUp ? ".base_layer" : "";
            for (int e = 0; e < count; e++)
            {
                Compare(got, weights, stack, whole[matrix.Name], Expert.InStack(e, config.RankOf(matrix.Name), matrix.Part.Shape), config);
            }
        }

        Assert.Contains(got.Keys, k => k.Contains("experts", StringComparison.Ordinal));
    }

    /// <summary>As it is stored in four bits, too: QLoRA of experts.</summary>
    [Theory]
    [InlineData("gpt-oss", "fp32", false)]
    [InlineData("gpt-oss", "bf16", false)]
    [InlineData("mixtral-idle", "fp32", true)]
    public void Budgets_save_sets_and_orders_do_not_change_a_bit(string name, string dtype, bool fourBits)
    {
        var golden = GoldenCase.OfFamily(name);
        var (adapted, source) = Adapted(golden, Config(golden.Model));
        if (fourBits)
        {
            adapted = adapted.Storing(DType.Nf4);
            source = new QuantizedWeights(new NamedWeights(adapted, NamedWeights.InMemory(adapted, GoldenCase.Tensors(source))));
        }

        byte[]? bits = null;
        SaveSet?[] saveSets = [null, .. s_saveSets];
        foreach (var saved in saveSets)
        {
            var got = Gradients(golden, adapted, source, Named(dtype), saved);
            byte[] now = [.. got.OrderBy(g => g.Key, StringComparer.Ordinal).SelectMany(g => g.Value.SelectMany(BitConverter.GetBytes))];
            bits ??= now;
            Assert.Equal(bits, now);
        }
    }

    private static bool HasExperts(string family) =>
        NamedParameter.All(GoldenCase.OfFamily(family).Model)
            .Any(p => p.Spec.Name == WeightName.ExpertDown && (p.Part.Shape.Length == 2 || p.Part.IsTransposed));

    private static AdapterConfig Config(ModelConfig model)
    {
        var experts = NamedParameter.All(model).Where(p => p.Spec.Name is WeightName.ExpertGateUp or WeightName.ExpertDown).ToList();
        bool stacked = experts[0].Part.Shape.Length > 2;
        string[] modules = [.. experts.Select(p => p.Name.Split('.')[^2]).Distinct(StringComparer.Ordinal)];
        return new AdapterConfig
        {
            Rank = 3,
            Alpha = 5,
            Targets = ModuleNames.List(stacked ? ["q_proj"] : ["q_proj", .. modules]),
            TargetParameters = stacked ? [.. experts.Select(p => "experts." + p.Name.Split('.')[^1]).Distinct(StringComparer.Ordinal)] : [],
            RankPattern = [KeyValuePair.Create(stacked ? @"experts\.down_proj" : modules[^1], 2.0)],
        };
    }

    private static (ModelConfig Adapted, IWeightSource Weights) Adapted(GoldenCase golden, AdapterConfig config)
    {
        var adapted = golden.Model.Adapting(config);
        using var checkpoint = Checkpoint.Open(golden.Folder);
        var weights = GoldenCase.Tensors(checkpoint.WeightsOf(golden.Model));
        foreach (var parameter in NamedParameter.All(adapted).Where(p => p.Spec.IsTrained))
        {
            // Exact in bf16.
            float Number(int i) => ((((i * 37) + parameter.Name.Length) % 61) - 30) / 128f;
            weights[parameter.Name] = [.. Enumerable.Range(0, (int)parameter.Part.ElementCount).Select(Number)];
        }

        return (adapted, new NamedWeights(adapted, NamedWeights.InMemory(adapted, weights)));
    }

    private static void Compare(
        Dictionary<string, float[]> got,
        Dictionary<string, float[]> weights,
        string module,
        float[] gradient,
        Expert at,
        AdapterConfig config)
    {
        double scale = config.Alpha / at.Rank;
        double difference = 0, norm = 0;
        void Add(float[] tensor, int element, double want)
        {
            difference += Math.Pow(tensor[element] - want, 2);
            norm += want * want;
        }

        for (int k = 0; k < at.Rank; k++)
        {
            for (int o = 0; o < at.Out; o++)
            {
                double sum = Enumerable.Range(0, at.In).Sum(i => (double)gradient[at.OfMatrix(o, i)] * weights[module + A][at.OfA(k, i)]);
                Add(got[module + B], at.OfB(o, k), scale * sum);
            }

            for (int i = 0; i < at.In; i++)
            {
                double sum = Enumerable.Range(0, at.Out).Sum(o => (double)gradient[at.OfMatrix(o, i)] * weights[module + B][at.OfB(o, k)]);
                Add(got[module + A], at.OfA(k, i), scale * sum);
            }
        }

        Assert.True(difference <= norm * 1e-10, $"{module}: relative error {Math.Sqrt(difference / norm):g3}");
    }

    private static Dictionary<string, float[]> Gradients(
        GoldenCase golden, ModelConfig model, IWeightSource weights, Recipe recipe, SaveSet? saved)
    {
        var request = golden.Request(recipe, WorkloadKind.Gradients, pins: new GeometryPins(32), saved: saved) with { Model = model };
        var plan = Verified(saved is null ? GoldenCase.Plan(request) : GoldenCase.Tight(request));
        using var device = Device.Open(plan.Schedule, plan.Workload, saved is null ? 0 : 1);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW);
        return GoldenCase.Tensors(trainer.Gradients)
            .Where(t => model.Adapter is null || NamedParameter.All(model).Single(p => p.Name == t.Key).Spec.IsTrained)
            .ToDictionary();
    }

    /// <summary>Where the numbers of one expert's matrix and its A and B are in their tensors.</summary>
    private readonly record struct Expert(int Number, int Experts, int Rank, int Out, int In, bool Stacked)
    {
        public static Expert Alone(int rank, ImmutableArray<long> shape) => new(0, 1, rank, (int)shape[0], (int)shape[1], false);

        public static Expert InStack(int number, int rank, ImmutableArray<long> shape) =>
            new(number, (int)shape[0], rank, (int)shape[2], (int)shape[1], true);

        public int OfMatrix(int o, int i) => Stacked ? (((Number * In) + i) * Out) + o : (o * In) + i;

        public int OfA(int k, int i) => (((Number * Rank) + k) * In) + i;

        public int OfB(int o, int k) => (o * Rank * Experts) + (k * Experts) + Number;
    }
}
