using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>
/// Attention by cuDNN in plans: part of the geometry and of the hash, said by the schedule, refused by name where it cannot be.
/// </summary>
public class AttentionProviderTests
{
    private static readonly CudnnTarget s_target = new(new Version(9, 28, 1), new ComputeCapability(9, 0));

    [Fact]
    public void A_plan_says_by_whom_and_has_another_hash()
    {
        var request = Request("1b", Recipe.Bf16);
        var own = Plan(request);
        var plan = Plan(request with { Attention = new AttentionByCudnn(s_target, Pinned: true) });
        Assert.NotEqual(own.Hash, plan.Hash);
        Assert.Equal(s_target, plan.Workload.Geometry.Cudnn);
        Assert.Equal("cudnn 9.28.1 sm90", plan.Schedule.Facts.Single(f => f.Key == "attention").Value);
        Assert.Null(StepFacts.Read(plan.Schedule, request.Model, out var read));
        Assert.Equal(plan.Workload.Geometry, read!.Geometry);
        Assert.DoesNotContain(own.Schedule.Facts, f => f.Key == "attention");
    }

    [Theory]
    [InlineData("1b", false, "cuDNN's attention takes bf16, and this is fp32")]
    [InlineData("nano", true, "heads of 64 to 256")]
    public void Where_it_computes_nothing_it_is_refused_if_it_was_asked_for(string model, bool bf16, string why)
    {
        var request = Request(model, bf16 ? Recipe.Bf16 : Recipe.Fp32);
        var refused = Assert.Throws<UserErrorException>(() => Plan(request with { Attention = new AttentionByCudnn(s_target, true) }));
        Assert.StartsWith("--attention cudnn computes nothing of", refused.Message, StringComparison.Ordinal);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);

        // Where it was not asked for, the plan is that of our own kernels.
        Assert.Equal(Plan(request).Hash, Plan(request with { Attention = new AttentionByCudnn(s_target, false) }).Hash);
    }

    private static PlanRequest Request(string model, Recipe recipe) =>
        new(
            Models.Load(model), recipe, WorkloadKind.Training, 1024, 4, new GeometryPins(),
            new MemoryBudget(Bytes.FromGiB(64), Bytes.FromGiB(64)));

    private static TrainingPlan Plan(PlanRequest request) => Assert.IsType<PlanResult.Feasible>(Planner.Plan(request)).Plan;
}
