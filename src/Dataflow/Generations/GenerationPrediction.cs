using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>What the simulator says of a step that continues sequences.</summary>
/// <param name="PromptTokensPerSecond">Of prompts: tokens of one sequence, as many as a step takes.</param>
/// <param name="TokensPerSecond">Of continuations: a token of each sequence, halfway through the seqlen.</param>
/// <param name="Machine">The machine.</param>
public sealed record GenerationPrediction(double PromptTokensPerSecond, double TokensPerSecond, HardwareProfile Machine)
{
    /// <summary>Of a plan.</summary>
    /// <param name="plan">For steps that continue sequences.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="sequences">That go on side by side.</param>
    /// <param name="seqlen">Tokens of each in the end.</param>
    public static GenerationPrediction Of(TrainingPlan plan, HardwareProfile machine, int sequences, int seqlen)
    {
        int prompt = Math.Min(plan.Workload.Geometry.ChunkTokens, seqlen);
        return new GenerationPrediction(
            prompt / Seconds(plan, machine, prompt, sequences: 1, (prompt + 1) / 2),
            sequences / Seconds(plan, machine, sequences, sequences, (seqlen + 1) / 2),
            machine);
    }

    /// <summary>Predicted seconds of a step.</summary>
    /// <param name="plan">For steps that continue sequences.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="tokens">Tokens of the step.</param>
    /// <param name="sequences">That they belong to.</param>
    /// <param name="seen">Keys that a token sees, on average.</param>
    public static double Seconds(TrainingPlan plan, HardwareProfile machine, int tokens, int sequences, int seen)
    {
        var geometry = plan.Workload.Geometry;
        var cache = geometry.Cache ?? throw new ArgumentException("the plan is for another kind of step", nameof(plan));
        int logits = Math.Min(sequences, cache.Logits);
        var step = plan.Workload with
        {
            Geometry = geometry with
            {
                ChunkTokens = tokens,
                Rows = tokens,
                HeadTokens = logits,
                Cache = cache with { Logits = logits, Seen = seen, Sequences = sequences },
            },
        };
        return Prediction.SecondsOf(plan.Schedule, step, machine);
    }
}
