using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Tests;

/// <summary>Where the simulator says that launches bind, and only there, steps are launched as CUDA graphs by themselves.</summary>
public class GraphChoiceTests
{
    private static readonly HardwareProfile s_machine = HardwareFiles.Load("h200-sxm");

    private static TrainingPlan Plan(string model, int seqlen, int chunk, string memory) =>
        Assert.IsType<PlanResult.Feasible>(
            Plans.Make(
                new PlanOptions
                {
                    Model = model,
                    Seqlen = seqlen,
                    Chunk = chunk,
                    GlobalBatch = 16384,
                    Dtype = Recipe.Bf16,
                    DeviceMemory = Values.Size(memory),
                    HostMemory = Values.Size("200GiB"),
                    Device = DeviceOptions.Cpu,
                    NoCache = true,
                    Policy = PlanPolicy.Simple,
                }.WithHardware("h200-sxm")
            )
        ).Plan;

    private static GraphChoice Choice(TrainingPlan plan, GraphUse use, DeviceKind kind = DeviceKind.Cuda) =>
        GraphChoice.Of(plan, new DeviceOptions(kind, 1, null) { Graphs = use }, kind == DeviceKind.Cuda ? s_machine : null);

    [Fact]
    public void Small_chunks_of_a_small_model_are_bound_by_launches()
    {
        var plan = Plan("1b", 512, 512, "40GiB");
        var choice = Choice(plan, GraphUse.Auto);
        Assert.True(choice.Used, choice.Note);
        Assert.Matches("^steps are launched as CUDA graphs, which is predicted to save [0-9.]+% of their time$", choice.Note);
        double launched = Prediction.For(plan, s_machine).Seconds, replayed = Prediction.For(plan, s_machine.WithGraphs()).Seconds;
        Assert.InRange(replayed / launched, 0.5, 0.98);
        Assert.False(Choice(plan, GraphUse.Off).Used);
    }

    [Fact]
    public void Large_chunks_are_not_and_nothing_is_said()
    {
        var plan = Plan("8b", 8192, 8192, "80GiB");
        Assert.Equal(new GraphChoice(false, null), Choice(plan, GraphUse.Auto));
        Assert.Equal(new GraphChoice(true, null), Choice(plan, GraphUse.On));
    }

    [Fact]
    public void A_graph_that_the_budget_has_no_room_for_is_named_with_what_would_do()
    {
        var plan = Plan("1b", 512, 512, "40GiB");
        var tight = plan with { Budget = plan.Budget with { Device = plan.DevicePeak + new Bytes(1 << 20) } };
        var choice = Choice(tight, GraphUse.Auto);
        Assert.False(choice.Used);
        Assert.Matches("a graph of [0-9,]+ launches takes about .* and the plan leaves .* of its budget; give --device-", choice.Note);
        Assert.True(Choice(tight, GraphUse.On).Used);
    }

    [Fact]
    public void Without_a_profile_and_on_a_cpu_auto_is_off()
    {
        var plan = Plan("1b", 512, 512, "40GiB");
        Assert.Equal(new GraphChoice(false, null), Choice(plan, GraphUse.Auto, DeviceKind.CudaEmulated));
        Assert.Equal(new GraphChoice(true, null), Choice(plan, GraphUse.On, DeviceKind.CudaEmulated));
        Assert.Equal(new GraphChoice(false, null), Choice(plan, GraphUse.Auto, DeviceKind.Cpu));
    }
}
