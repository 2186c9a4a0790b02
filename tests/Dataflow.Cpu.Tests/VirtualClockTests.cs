using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>
/// The simulator against the CPU device on a virtual clock: the same start, end, stall and reason for every op, although there streams are
/// threads that do real math, wait for each other's completions, and know nothing of the simulator.
/// </summary>
[Trait("Slow", "true")]
public class VirtualClockTests
{
    private static readonly LinkRates Links = new([new(5.3, 3.7), new(4.9, 3.1)], 6.1);

    [Theory]
    [InlineData("llama-small", 32, 1)]
    [InlineData("qwen3-small", 48, 1)]
    [InlineData("llama-long", 64, 2)]
    [InlineData("llama-small", 64, 3)]
    public void Every_op_runs_when_the_simulator_says(string name, int chunk, int blocks)
    {
        var golden = new GoldenCase(name);
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Training, pins: new GeometryPins(chunk, VocabularyBlocks: blocks));
        foreach (
            var plan in new[]
            {
                GoldenCase.Plan(request),
                GoldenCase.Tight(request),
                GoldenCase.Tight(request with { SaveSet = SaveSet.None }),
            }
        )
        {
            var random = new Random(plan.Schedule.Ops.Length);
            var costs = Array.ConvertAll([.. plan.Schedule.Ops], op => CostOf(op, random));
            using var device = new CpuDevice(plan.Schedule, plan.Workload, 1, new VirtualMachine(costs, Links));
            var trainer = golden.Trainer(plan, device);
            double[] losses = [.. Enumerable.Range(0, 2).Select(_ =>
            {
                device.MeasureNextStep();
                return trainer.Step(golden.Tokens(), [.. Enumerable.Range(0, golden.Rows)], golden.AdamW).Loss;
            })];
            var simulated = Simulator.Alone(plan.Schedule, costs, Links);
            var measured = device.MeasuredStep();
            Assert.Equal(simulated.StepNanoseconds, measured.StepNanoseconds);
            for (int i = 0; i < costs.Length; i++)
            {
                Assert.True(
                    simulated.Ops[i] == measured.Ops[i],
                    $"{simulated.Ops[i]} simulated, {measured.Ops[i]} on the device:\n{ScheduleText.PrintAround(plan.Schedule, i, 2)}"
                );
            }

            // The math is real: the trajectory is PyTorch's.
            Assert.All(golden.Losses.Zip(losses), pair => Assert.InRange(pair.Second, pair.First * (1 - 1e-5), pair.First * (1 + 1e-5)));
        }
    }

    /// <summary>Copies take about as long as compute, so that each waits for the other now and then.</summary>
    private static OpCost CostOf(ScheduledOp op, Random random) => op.Kind switch
    {
        OpKind.Fetch => new OpCost(random.Next(100), 0, op.Accesses[0].Length.Value),
        OpKind.Save => new OpCost(random.Next(100), 1, op.Accesses[0].Length.Value),
        _ => OpCost.Compute(random.Next(10_000)),
    };
}
