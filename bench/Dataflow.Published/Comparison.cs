using Dataflow.Model;
using Dataflow.Baseline;
using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>A published row beside what policy reference decides and the simulator predicts for it.</summary>
/// <param name="SameDecisions">Feasibility; of what ran also chunk, activations on device and host by level, rounds, sequences, and memory
/// to 1e-4 GiB.</param>
/// <param name="Ops">Of the simulated step.</param>
internal sealed record Comparison(PublishedRow Row, bool SameDecisions, double Measured, double Predicted, int Ops)
{
    private const double MemoryTolerance = 1e-4;

    /// <summary>Predicted over measured tokens a second, less one; 0 where nothing ran.</summary>
    public double Error => Measured > 0 ? (Predicted / Measured) - 1 : 0;

    /// <summary>Plans, lowers and simulates a row's request.</summary>
    public static Comparison Of(PublishedRow row, ModelConfig model, HardwareProfile profile)
    {
        var result = BaselinePlanner.Plan(row.Request(model));
        if (result is not BaselineResult.Feasible { Plan: var plan } || !row.Ran)
        {
            return new Comparison(row, result is BaselineResult.Feasible == row.Ran, row.Number("tok_per_sec"), 0, 0);
        }

        var prediction = BaselinePrediction.Of(plan, new CostModel(profile, DType.BFloat16));
        return new Comparison(
            row,
            Same(row, plan),
            row.Number("tok_per_sec"),
            plan.ThroughputAt(prediction.StepSeconds).TokensPerSecond,
            prediction.Schedule.Ops.Length
        );
    }

    private static bool Same(PublishedRow row, BaselinePlan plan) =>
        row.Number("chunk_size") == plan.Chunking.ChunkTokens
        && row.Number("total_home_acts") == plan.Device.HomePairs
        && row.Number("total_dev_acts") == plan.Device.DevicePairs
        && row.Number("num_inp_only_saved") == plan.Counted.InputOnly
        && row.Number("num_inp_attn_saved") == plan.Counted.Attention
        && row.Number("num_full_saved") == plan.Counted.Full
        && row.Number("num_rounds_per_step") == plan.Rounds
        && row.Number("seqs_per_step") == plan.SequencesPerStep
        && Math.Abs(row.Number("used_host_mem_gb") - plan.UsedHost.GiB) <= MemoryTolerance
        && Math.Abs(row.Number("used_dev_mem_gb") - plan.UsedDevice.GiB) <= MemoryTolerance;
}
