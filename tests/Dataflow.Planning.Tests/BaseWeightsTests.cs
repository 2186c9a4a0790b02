using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>What a base that is stored in a type of its own takes, on the wire, on host and device, by arithmetic and by count.</summary>
public class BaseWeightsTests
{
    // Of 8b a layer: Q and O of 4,096 x 4,096, K and V of 1,024 x 4,096, three matrices of 14,336 x 4,096.
    private const long Matrices = (2L * 4096 * 4096) + (2L * 1024 * 4096) + (3L * 14336 * 4096);
    private const int Layers = 32;
    private static readonly MemoryBudget Roomy = new(Bytes.FromGiB(400), Bytes.FromGiB(400));
    private static readonly AdapterConfig Adapter = new() { Rank = 16, Alpha = 16, Targets = ModuleNames.AllLinear };

    /// <summary>Type, and bits of a number with what it shares.</summary>
    public static TheoryData<DType?, double> Types =>
        new()
        {
            { null, 16 },
            { DType.Int8, 8 + (32 / 32.0) },
            { DType.Nf4, 4 + (32 / 64.0) },
            { DType.Nf4Nested, 4 + (8 / 64.0) + (32 / (64.0 * 256)) },
        };

    [Theory]
    [MemberData(nameof(Types))]
    public void The_matrices_of_a_step_travel_in_that_type(DType? type, double bits)
    {
        var plan = Least(Model("8b", type), Recipe.Bf16Stochastic);
        var (bytes, copies) = Fetched(plan);

        // For forward and backward; the two layers that turn around stay.
        Assert.Equal((2 * Layers) - 2, copies);
        Assert.Equal(1, bytes / (Matrices * bits / 8 * copies), 1e-4);
    }

    [Fact]
    public void Nf4_takes_at_most_29_hundredths_of_what_bf16_does_on_the_wire()
    {
        var (whole, times) = Fetched(Least(Model("8b", null), Recipe.Bf16Stochastic));
        foreach (var type in new[] { DType.Nf4, DType.Nf4Nested })
        {
            var (stored, same) = Fetched(Least(Model("8b", type), Recipe.Bf16Stochastic));
            Assert.Equal(times, same);
            Assert.InRange(stored / whole, 0.25, 0.29);
        }
    }

    [Theory]
    [InlineData("8b", "bf16-sr")]
    [InlineData("70b", "bf16-sr")]
    [InlineData("8b", "fp32")]
    public void The_device_holds_no_more_than_one_matrix_made_dense(string name, string dtype)
    {
        var plan = Least(Model(name, DType.Nf4), Recipe.All.Single(r => r.Name == dtype));
        var programs = new BlockPrograms(plan.Workload.Model, plan.Workload.Recipe, plan.Workload.Geometry).Kinds.Single();
        long largest = programs.Parts.SelectMany(p => p.Tensors).Max(t => t.Count) * plan.Workload.Recipe.Parameters.Size();
        foreach (var saved in new[] { SaveSet.None, SaveSet.Kv, SaveSet.All })
        {
            BlockProgram[] all = [programs.Forward(saved), programs.Backward(saved), programs.RecomputeKv()];
            foreach (var program in all)
            {
                var dense = program.Places.Where(p => p.Key.Tensor == TensorName.DenseWeight).Select(p => p.Value).ToList();
                Assert.NotEmpty(dense);
                Assert.All(dense, p => Assert.Equal(Roles.Scratch, p.Role));
                long first = dense.Min(p => p.Offset.Value), end = dense.Max(p => (p.Offset + p.Size).Value);
                Assert.InRange(end - first, 1, largest);
            }
        }

        // No other slot has room for what programs have in theirs.
        Assert.Single(plan.Schedule.Slots, s => s.Name.StartsWith("scratch", StringComparison.Ordinal));
    }

    [Fact]
    public void A_schedule_says_it_and_is_of_no_model_that_is_stored_otherwise()
    {
        var schedule = Least(Model("8b", DType.Nf4Nested), Recipe.Bf16Stochastic).Schedule;
        Assert.Contains(schedule.Facts, f => f is { Key: "base_weights", Value: "nf4-nested" });
        Assert.Null(StepFacts.Read(schedule, Models.Load("8b"), out var workload));
        Assert.Equal(Model("8b", DType.Nf4Nested), workload!.Model);
        Assert.Equal(
            "the schedule has nf4-nested base_weights, not int8",
            StepFacts.Read(schedule, Model("8b", DType.Int8), out _)
        );
        Assert.Empty(ScheduleVerifier.Verify(schedule, null, Models.Load("8b")));
    }

    [Fact]
    public void What_stays_is_counted_as_it_is_stored()
    {
        var model = Model("8b", DType.Nf4);
        long table = 2L * model.VocabSize * model.ModelDim, norms = 2L * 4096 * Layers;
        long rest = 2 * (table + norms + 4096);
        Assert.Equal((Layers * Matrices * 9 / 16) + rest, model.FrozenSize(Recipe.Bf16).Value);
        Assert.Equal(Model("8b", null).FrozenSize(Recipe.Bf16).Value - (Layers * Matrices * 23 / 16), model.FrozenSize(Recipe.Bf16).Value);
    }

    /// <summary>A matrix that the adapter trains as a whole is not stored so, and one without adapters is.</summary>
    [Fact]
    public void What_is_trained_as_a_whole_is_in_the_recipes_type()
    {
        var model = Models.Load("8b").Adapting(Adapter with { Targets = ModuleNames.List(["q_proj"]), ModulesToSave = ["down_proj"] });
        var parts = ParameterLayout.Block(model.Storing(DType.Nf4), model.Storing(DType.Nf4).KindOf(new Layer(0))).Parts();
        DType? Of(WeightName name) => parts.Single(p => p.Has(name))[name].Spec.Storage;
        Assert.Equal((DType.Nf4, DType.Nf4), (Of(WeightName.Qkv), Of(WeightName.GateUp)));
        Assert.Equal((null, null), (Of(WeightName.Down), Of(WeightName.QueryB)));
    }

    [Fact]
    public void Rows_that_lie_otherwise_in_files_are_refused_where_scales_would_be_shared_across_them()
    {
        var model = Models.Load("glm-4-9b");
        Assert.Equal(DType.Nf4, model.Storing(DType.Nf4).BaseWeights);
        var refused = Assert.Throws<UserErrorException>(() => model.Storing(DType.Nf4Nested));
        Assert.Contains("nf4-nested: the rows of model.layers.{layer}.self_attn.q_proj.weight", refused.Message, StringComparison.Ordinal);
    }

    private static ModelConfig Model(string name, DType? type) => Models.Load(name).Adapting(Adapter).Storing(type);

    /// <summary>In the least device memory, where all parameters travel.</summary>
    private static TrainingPlan Least(ModelConfig model, Recipe recipe)
    {
        var request = new PlanRequest(model, recipe, WorkloadKind.Training, 1024, 8, new GeometryPins(1024, 8, 1), Roomy, SaveSet.None);
        var (device, _) = Planner.Smallest(request);
        return Planner.Plan(request with { Budget = Roomy with { Device = device!.Value } }) switch
        {
            PlanResult.Feasible f => f.Plan,
            var other => throw new InvalidOperationException(other.ToString()),
        };
    }

    /// <summary>Bytes and copies to the device, in a step, of the objects that hold frozen matrices.</summary>
    private static (double Bytes, int Copies) Fetched(TrainingPlan plan)
    {
        var programs = new BlockPrograms(plan.Workload.Model, plan.Workload.Recipe, plan.Workload.Geometry);
        var fetched = plan
            .Schedule.Ops.Where(o => o.Kind == OpKind.Fetch)
            .Select(o => (Object: plan.Schedule.Objects[o.Accesses[0].Object], o.Accesses[0].Length))
            .Where(f => f.Object.Family == ObjectFamily.Weights && f.Object.Id!.Value.Owner is { Layer: not null } owner
                && owner.Layout(programs).Has(WeightName.Down) && !owner.Layout(programs).IsTrained)
            .ToList();
        return (fetched.Sum(f => (double)f.Length.Value), fetched.Count);
    }
}
