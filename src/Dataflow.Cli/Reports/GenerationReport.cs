using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Planning;

namespace Dataflow.Cli;

/// <summary>What is said of a generation besides its texts, on standard error.</summary>
internal static class GenerationReport
{
    /// <summary>What happens while a model is opened.</summary>
    public static void Tell(RunEvent happened)
    {
        if (happened is RunEvent.Noted noted)
        {
            Notices.Tell(noted.Notes);
        }
        else
        {
            Messages.Tell(happened);
        }
    }

    /// <summary>How fast it was, and how fast the simulator said it would be.</summary>
    /// <param name="generator">What ran.</param>
    /// <param name="prompts">How many there were.</param>
    /// <param name="promptTokens">Of all prompts.</param>
    /// <param name="told">What came, and when.</param>
    /// <param name="all">When all had come.</param>
    public static void Speed(TextGenerator generator, int prompts, long promptTokens, GeneratedTexts told, TimeSpan all)
    {
        if (told.Tokens == 0)
        {
            return;
        }

        string what = string.Create(CultureInfo.InvariantCulture, $"{Count(promptTokens, "token")} of prompts and ");
        int after = told.Tokens - told.Firsts;
        double rest = (all - told.FirstAt).TotalSeconds;

        // Where prompts waited for room, theirs and the others' tokens came in turns.
        string took = prompts > generator.Batch || after < 1 || rest <= 0
            ? string.Create(CultureInfo.InvariantCulture, $"{Count(told.Tokens, "token")} after them in {all.TotalSeconds:0.00} s")
            : string.Create(
                CultureInfo.InvariantCulture,
                $"the first of each answer in {told.FirstAt.TotalSeconds:0.00} s, then {Number(after / rest)} tokens a second");
        string predicted = generator.Prediction is { } p
            ? $" (predicted: {Number(p.PromptTokensPerSecond)} tokens a second of prompts, {Number(p.TokensPerSecond)} after them)" : "";
        Messages.Tell($"{generator.Device}: {what}{took}{predicted}");
    }

    /// <summary>A plan that is not carried out.</summary>
    public static ExitCode Print(GenerationPlan made, int seqlen, bool json)
    {
        var (plan, batch, _, prediction) = made;
        var (residency, model) = (plan.Residency, plan.Workload.Model);
        if (json)
        {
            Console.Out.WriteLine(new JsonObject
            {
                ["model"] = model.Name,
                ["seqlen"] = seqlen,
                ["batch"] = batch,
                ["device_bytes"] = plan.DevicePeak.Value,
                ["host_bytes"] = plan.HostPeak.Value,
                ["layers"] = model.LayerCount,
                ["layers_with_parameters_on_device"] = Staying(residency.WeightSlots, model.LayerCount),
                ["layers_with_keys_on_device"] = Staying(residency.WindowSlots, model.LayerCount),
                ["step_tokens"] = plan.Workload.Geometry.ChunkTokens,
                ["prompt_tokens_per_second"] = prediction?.PromptTokensPerSecond,
                ["tokens_per_second"] = prediction?.TokensPerSecond,
                ["machine"] = prediction?.Machine.Name,
            }.ToJsonString());
            return ExitCode.Ok;
        }

        PlanReport.WriteModel(Console.Out, plan);
        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Sequences: {batch} of {seqlen:N0} tokens side by side, steps of at most {plan.Workload.Geometry.ChunkTokens:N0} tokens"));
        Console.Out.WriteLine(
            $"Memory: {plan.DevicePeak} of {plan.Budget.Device} device memory, {plan.HostPeak} of {plan.Budget.Host} host memory");
        if (made.Budgets.Note is { } note)
        {
            Console.Out.WriteLine($"  budgets {note}");
        }

        Console.Out.WriteLine($"  parameters       {Layers(residency.WeightSlots, model.LayerCount)}; embedding and head "
            + (EmbeddingStays(plan) ? "stay" : "take turns"));
        Console.Out.WriteLine($"  keys and values  {Layers(residency.WindowSlots, model.LayerCount)}");
        Console.Out.WriteLine(prediction is null ? "No speed is predicted: there is no profile of the machine; name one by --hardware"
            : $"Predicted on {prediction.Machine.Name}: {Number(prediction.PromptTokensPerSecond)} tokens a second of prompts, "
                + $"{Number(prediction.TokensPerSecond)} after them");
        return ExitCode.Ok;
    }

    private static bool EmbeddingStays(TrainingPlan plan) =>
        plan.Residency.VocabularyResident || plan.Workload is { Model.TiedEmbedding: true, Geometry.VocabularyBlocks: 1 };

    // Two slots are for those that take turns.
    private static int Staying(int slots, int layers) => slots >= layers ? layers : Math.Max(0, slots - 2);

    private static string Layers(int slots, int layers) =>
        slots >= layers ? $"of all {layers} layers stay"
        : Staying(slots, layers) == 0 ? $"of {layers} layers take turns"
        : $"of {Staying(slots, layers)} of {layers} layers stay, the others take turns";

    private static string Count(long count, string what) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} {what}{(count == 1 ? "" : "s")}");

    private static string Number(double rate) => rate.ToString(rate < 100 ? "0.0" : "N0", CultureInfo.InvariantCulture);
}
