using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Groups of parameters with numbers of their own: after one step every tensor has the bits that it has in a run whose numbers are those of
/// its group for all, with every optimizer and in every recipe, in parts of fused matrices and where the vocabulary is cut, within the
/// least memory.
/// </summary>
public abstract class GroupConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    /// <summary>By name; on a slow device some recipes.</summary>
    public static TheoryData<string, string> Cases =>
        [.. Sample(Optimizer.All.SelectMany(o => Recipe.All.Select(r => (o.Name, r.Name))))];

    /// <summary>Six elements of the queries' bias, and the keys' behind them.</summary>
    [Fact]
    public void Groups_that_meet_within_elements_that_are_stored_together_are_refused()
    {
        var model = new GoldenCase("llama-small").Model with { HeadCount = 3, KvHeadCount = 1, HeadDim = 2, Biases = Biases.Qkv };
        var workload = new Workload(model, Recipe.Fp32, new Geometry(64, 1, 64, 1, 1, 64), WorkloadKind.Training);
        var groups = new ParameterGroups { Groups = [ParameterGroup.Parse("*.k_proj.*:factor=2")] };
        Assert.Contains(
            "model.layers.0.self_attn.q_proj.bias and model.layers.0.self_attn.k_proj.bias share 8 elements that are stored together",
            Assert.Throws<UserErrorException>(() => UpdateTable.Of(workload, groups, 1)).Message,
            StringComparison.Ordinal
        );
        var alike = new ParameterGroups { Groups = [ParameterGroup.Parse("*.bias:factor=2")] };
        Assert.Equal(2, UpdateTable.Of(workload, alike, 1)[new ParameterOwner(new Layer(0))].DistinctBy(r => r.Scale).Count());
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_tensor_moves_as_where_all_have_its_numbers(string name, string dtype)
    {
        var (golden, optimizer) = (new GoldenCase("llama-small"), Optimizer.Named(name)!);
        var request = golden.Request(Named(dtype), WorkloadKind.Training, pins: new GeometryPins(VocabularyBlocks: 2)) with
        {
            Optimizer = optimizer,
        };
        var plan = Verified(GoldenCase.Tight(request));
        var settings = optimizer.Defaults with { LearningRate = 2e-3f, WeightDecay = 0.25f };
        var groups = new ParameterGroups
        {
            NoDecay = ParameterClasses.Norms | ParameterClasses.Embeddings,
            Groups =
            [
                ParameterGroup.Parse("*.[1-].*:factor=0.25"),
                ParameterGroup.Parse("*.k_proj.*|*.up_proj.*|lm_head.weight:lr=1e-2,decay=0.5"),
                ParameterGroup.Parse("model.layers.1.self_attn.q_proj.weight:factor=0"),
            ],
        };
        groups.Check(golden.Model, settings.LearningRate);
        var grouped = Step(groups, settings);
        var alike = new Dictionary<UpdateScale, Dictionary<string, float[]>>();
        foreach (var parameter in NamedParameter.All(golden.Model))
        {
            var scale = groups.ScaleOf(parameter, settings.LearningRate);
            if (!alike.TryGetValue(scale, out var want))
            {
                want = alike[scale] = Step(ParameterGroups.None, scale.Of(settings));
            }

            Assert.True(grouped[parameter.Name].AsSpan().SequenceEqual(want[parameter.Name]), parameter.Name);
        }

        Assert.Equal(6, alike.Count);

        Dictionary<string, float[]> Step(ParameterGroups these, OptimizerSettings numbers)
        {
            using var device = Device.Open(plan.Schedule, plan.Workload, 0);
            using var checkpoint = Checkpoint.Open(golden.Folder);
            var trainer = new Trainer(plan.Workload, plan.Schedule, device)
            {
                Updates = these.IsEmpty ? null : UpdateTable.Of(plan.Workload, these, numbers.LearningRate),
            };
            trainer.Load(checkpoint.WeightsOf(golden.Model));
            trainer.Step(golden.Tokens(), golden.AllRows, numbers);
            return GoldenCase.Tensors(trainer.MasterWeights ?? trainer.Weights);
        }
    }
}
