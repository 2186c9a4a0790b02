using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>Explanations in words that both of their forms use.</summary>
public static class Explanations
{
    /// <summary>What the option does.</summary>
    public const string Help =
        "say what bounds the step, what is recomputed and waited for, what more memory would bring, and which other plans come near";

    // Smaller shares are not worth a word.
    private const double Shown = 0.005;

    /// <summary>What bounds a step, as one sentence.</summary>
    public static string Sentence(PlanExplanation why) =>
        why.Bound switch
        {
            { Link: { } link } => Link(why, link),
            { Memory: { } tier } => Memory(why, tier),
            _ when why.RecomputedShare >= PlanExplanation.LeastShare =>
                $"Compute bounds the step: it works {why.ComputeShare:0.0%} of the time, {why.RecomputedShare:0.0%} of that on "
                    + $"recomputation",
            _ =>
                $"Compute bounds the step: it works {why.ComputeShare:0.0%} of the time and repeats next to nothing; only faster kernels "
                    + $"would help",
        };

    /// <summary>How fast a link has to be for the step.</summary>
    public static string Sentence(LinkNeed link) =>
        link.IsShort
            ? $"{WayOf(link.Direction)} {link.Has:0.0} GB/s; under {link.StallsBelow:0.0} GB/s the step waits for it by more than "
                + $"1%, as it does now"
            : $"{WayOf(link.Direction)} {link.Has:0.0} GB/s; only under {link.StallsBelow:0.0} GB/s would the step wait for it by "
                + $"more than 1%";

    /// <summary>
    /// How much host memory would buy fp32 weights and moments; null for plans that have them, and for those of the published system.
    /// </summary>
    public static string? Recipe(PlanQuestion question)
    {
        if (question.Settings.Recipe is not { Moments: DType.BFloat16 } || question.By.Policy == PlanPolicy.Reference)
        {
            return null;
        }

        var master = question.With(s => s with { Dtype = Model.Recipe.Bf16Master });
        var (host, budget) = (
            Work.Named("looking at bf16-master", master.Limits).LeastHost(question.Budget.Device),
            question.Budget.Host
        );
        string with = $"--dtype {Model.Recipe.Bf16Master.Name} (fp32 weights, moments and gradients)";
        return host is not { } needs ? $"{with} does not fit this device budget, whatever the host has"
            : needs <= budget ? $"{with} fits these budgets too"
            : $"{with} fits with {needs.RoundedUp()} of host memory, {(needs - budget).RoundedUp()} more";
    }

    /// <summary>"compute", "host_to_device", "device_memory", ...</summary>
    public static string NameOf(StepBound bound) => bound.Name;

    /// <summary>Why a candidate lost, in a few words.</summary>
    public static string NameOf(LossReason reason) => reason switch
    {
        LossReason.Order => "equally fast",
        LossReason.Copies => "longer waits for copies",
        LossReason.Recomputation => "more recomputation",
        LossReason.Padding => "more padding",
        LossReason.Kernels => "slower kernels",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "no reason"),
    };

    /// <summary>How a direction is called: by where it leads.</summary>
    public static string NameOf(LinkDirection direction) => direction.Target.Name;

    /// <summary>The same in a sentence: as <see cref="ShownNames.Of"/>, with an article.</summary>
    internal static string WayOf(LinkDirection direction) => ShownNames.Of(direction).Replace(" ", " the ", StringComparison.Ordinal);

    /// <summary>"chunk tokens 4096, save set kv": where a candidate differs from the plan, by the names of the fields.</summary>
    public static string Changes(PlanChoice other, PlanChoice from) =>
        string.Join(", ", PlanChoiceJson.Differences(other, from).Select(d => $"{d.Name.Replace('_', ' ')} {Text(d.Value)}"));

    private static string Link(PlanExplanation why, LinkDirection direction)
    {
        string most = why.Exposed.Where(e => e.Direction == direction).Select(e => $", most for {e.Kind}").FirstOrDefault("");
        return $"The link {WayOf(direction)} bounds the step: compute waits for copies {why.ExposedShare:0.0%} of the time{most}, "
            + $"and that link is busy {why.LinkShares[direction.Index]:0.0%} of it";
    }

    private static string Memory(PlanExplanation why, MemoryTier tier)
    {
        (double Share, string Of)[] losses =
        [
            (why.RecomputedShare * why.ComputeShare, "recomputation"),
            (why.ExposedShare, "waits for copies"),
        ];
        return $"{char.ToUpperInvariant(tier.Name[0])}{tier.Name[1..]} memory bounds the step: for lack of it "
            + $"{string.Join(" and ", losses.Where(l => l.Share >= Shown).Select(l => $"{l.Share:0.0%} of the time goes into {l.Of}"))}";
    }

    private static string Text(JsonNode? value) => value is JsonValue plain ? plain.ToString() : value?.ToJsonString() ?? "none";
}
