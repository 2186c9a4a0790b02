using System.Globalization;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow;

/// <summary>A plan for people, in blocks.</summary>
public static class PlanReport
{
    private const int HashShown = 16;
    private const int MostRuns = 12; // of layers of one kind

    /// <summary>All of it, but what travels in a step.</summary>
    public static void Write(TextWriter output, TrainingPlan plan, Budgets budgets, PolicySettings by, PlanNotes notes)
    {
        var standing = PlanStanding.Of(by.Machine, plan.Workload.Model, plan.Budget, budgets.HostIsThisMachines);
        WriteModel(output, plan);
        foreach (string note in notes.Lines)
        {
            output.WriteLine($"  note: {note}");
        }

        WriteGeometry(output, plan);
        WriteMemory(output, plan, budgets, standing);
        WriteResidency(output, plan);
        output.WriteLine(
            $"Plan {plan.Hash[..HashShown]}: {plan.Schedule.Ops.Length:N0} ops a step, {plan.Schedule.Ops.Sum(o => o.Waits.Length):N0} "
                + $"waits; "
                + (
                    by.Policy == PlanPolicy.Auto
                        ? $"policy auto, the fastest found for {by.Machine!.Name} with {standing.Rates!.Text}"
                        : "policy simple"
                )
        );
    }

    /// <summary>The model and the recipe.</summary>
    public static void WriteModel(TextWriter output, TrainingPlan plan)
    {
        var (model, recipe) = (plan.Workload.Model, plan.Workload.Recipe);
        output.WriteLine(
            $"Model {model.Name}: {model.ParameterCount:N0} parameters{Trained(model)}, {model.LayerCount} layers, "
                + $"model_dim {model.ModelDim}, {model.HeadCount} heads ({model.KvHeadCount} for keys and values) of {model.HeadDim}, "
                + $"ffn_dim {FfnDims(model)}, vocabulary {model.VocabSize:N0}"
        );
        if (model.Frozen is { } frozen)
        {
            output.WriteLine($"  frozen: {frozen.Patterns}{(frozen.LayersWithoutBackward is > 0 and var below ? Below(below) : "")}");
        }

        if (model.Adapter is { } adapter)
        {
            output.WriteLine($"  adapter: {adapter.Text}{(model.LayersWithoutBackward is > 0 and var under ? Below(under) : "")}");
        }

        if (model.BaseWeights is { } stored)
        {
            output.WriteLine($"  base: matrices of layers in {stored.Name()}, {model.FrozenSize(recipe)} with all that stays as it is");
        }

        var state = Plans.ModelState(plan);
        output.WriteLine(
            $"  {recipe.Name}, {plan.Workload.Optimizer}: model state {state} "
                + $"({(double)state.Value / model.ParameterCount:0.#} bytes a parameter) = "
                + $"{Ratio(state, plan.Budget.Device)} x the device budget"
        );
    }

    /// <summary>How the step's tokens are cut.</summary>
    public static void WriteGeometry(TextWriter output, TrainingPlan plan)
    {
        var g = plan.Workload.Geometry;
        output.WriteLine($"Step: {g.Rows} row{(g.Rows == 1 ? "" : "s")} of {g.Seqlen} tokens = {g.TokensPerStep:N0} tokens");
        output.WriteLine(
            $"  chunks of {g.ChunkTokens:N0} tokens, {g.ChunksPerRound} a round, {g.Rounds} {(g.Rounds == 1 ? "round" : "rounds")}; "
                + $"logits of {g.HeadTokens} tokens at a time{Blocks(plan.Workload)}"
        );
        if (g.Cudnn is { } cudnn)
        {
            output.WriteLine($"  attention by cuDNN {cudnn.Library} on {cudnn.Architecture}{ByOwn(plan.Workload)}");
        }

        if (plan.Workload.Model is { Balances: true } model)
        {
            string mean = g.Rounds == 1 ? "" : "; it is the mean of the rounds' losses, each over a round's tokens alone";
            output.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"  the load-balancing loss of experts counts {model.BalanceShare}{mean}"));
        }

        if (plan.Workload.Model.RouterZWeight is > 0 and var z)
        {
            output.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"  the router z-loss counts {z}: the mean over the step's tokens, summed over the sparse layers"));
        }
    }

    /// <summary>Both arenas against their budgets, by kind of object.</summary>
    public static void WriteMemory(TextWriter output, TrainingPlan plan, Budgets budgets, PlanStanding standing)
    {
        output.WriteLine($"Memory: {Peaks(plan)}");
        if (budgets.Note is { } note)
        {
            output.WriteLine($"  budgets {note}");
        }

        standing.WriteNotes(output);

        var table = new TextTable(["", .. plan.Tiers.SelectMany(t => new[] { $"{t} slots", t.Name })]);
        foreach (var kind in ObjectMemory.Of(plan))
        {
            table.Add([kind.Kind, .. kind.ByTier.SelectMany(t => new[] { Slots(t.Slots), Size(t.Bytes) })]);
        }

        int SlotsIn(MemoryTier tier) => plan.Schedule.Slots.Count(s => s.Arena == tier.Index);
        table.Add(["all", .. plan.Tiers.SelectMany(t => new[] { Slots(SlotsIn(t)), plan.PeakOf(t).ToString() })]);
        table.WriteTo(output);
    }

    /// <summary>Of experts that travel apart from their layers: how many objects there are, and how many slots.</summary>
    private static string Experts(TrainingPlan plan)
    {
        var workload = plan.Workload;
        if (workload.Geometry.ExpertGroups is null)
        {
            return "";
        }

        var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        int objects = workload.Model.Layers.Sum(l => programs[l].ExpertParts.Length);
        int slots = Math.Min(objects, plan.Residency.WeightSlots);
        return $", experts apart: {slots} of {objects} objects of some of a layer's experts";
    }

    /// <summary>What stays on the device and what forwards keep.</summary>
    public static void WriteResidency(TextWriter output, TrainingPlan plan)
    {
        var (r, model, g) = (plan.Residency, plan.Workload.Model, plan.Workload.Geometry);
        int pairs = (model.LayerCount - model.LayersWithoutBackward) * g.ChunksPerRound;
        output.WriteLine("Residency:");
        output.WriteLine(
            "  parameters     "
                + (
                    r.WeightSlots >= model.LayerCount
                        ? $"all {model.LayerCount} layers stay"
                        : $"{r.WeightSlots} of {model.LayerCount} layers on the device at a time"
                )
                + Experts(plan)
                + $"; embedding and head {(g.VocabularyBlocks > 1 ? "in blocks, which " : "")}"
                + (r.VocabularyResident ? "stay" : "take turns")
        );
        output.WriteLine(
            $"  activations    {Stay(r.ResidentChunks, pairs, "pairs of layer and chunk")}; the others keep "
                + $"{SaveSets.NameOf(r.Travelling)} (input,{SaveSets.ListOf(r.Travelling)})"
                + $"{(r.MoreSixteenths > 0 ? $", {r.MoreSixteenths} in 16 of them {SaveSets.NameOf(r.TravellingMore)}" : "")}"
        );
        if (r.Interleaved)
        {
            output.WriteLine("  rounds         a round's backward alternates with the next one's forward");
        }

        output.WriteLine($"  windows        {Windows(r)}");
        if (plan.Workload.Kind.Updates())
        {
            output.WriteLine(
                g.Rounds == 1 && plan.Workload.Kind == WorkloadKind.Training
                    ? "  gradients      are consumed where they are made"
                    : $"  gradients      {Stay(r.ResidentGradients, model.LayerCount, "layers")}"
            );
            int pieces = plan.Schedule.Objects.Count(o => o.Family == ObjectFamily.Moments);
            output.WriteLine($"  optimizer      {Stay(r.ResidentPieces, pieces, "pieces of state")}");
        }
    }

    /// <summary>Copies and recomputation of a step.</summary>
    public static void WriteTraffic(TextWriter output, TrainingPlan plan)
    {
        var traffic = plan.Traffic;
        output.WriteLine("Copies of a step:");
        var links = LinkDirection.Among(plan.Tiers.Count());
        var table = new TextTable(["", .. links.SelectMany(d => new[] { ShownNames.Of(d), "" })]);
        void AddRow(string name, IEnumerable<Traffic> copies)
        {
            var ofLinks = links.Select(d => copies.Where(c => c.Direction == d).ToList());
            table.Add([name, .. ofLinks.SelectMany(c => new[] { Times(c), Total(c) })]);
        }

        foreach (var kind in traffic.Copies.GroupBy(c => c.Kind))
        {
            AddRow(kind.Key, kind);
        }

        AddRow("all", traffic.Copies);
        table.WriteTo(output);
        output.WriteLine(
            traffic.Recomputed.IsEmpty
                ? "Recomputed in a step: nothing"
                : "Recomputed in a step: "
                    + string.Join(
                        "; ",
                        traffic.Recomputed.Select(r =>
                            $"{r.Tensors.Replace(", ", ",", StringComparison.Ordinal).ToLowerInvariant()} {r.Ops} times"
                        )
                    )
        );
    }

    /// <summary>"device 28.61 MiB of 30.72 MiB (93.1%), host 0.20 GiB of 0.25 GiB (80.0%)".</summary>
    public static string Peaks(TrainingPlan plan) =>
        string.Join(", ", plan.Tiers.Select(t => $"{t} {Against(plan.PeakOf(t), plan.Budget.Of(t))}"));

    /// <summary>"28.61 MiB of 30.72 MiB (93.1%)".</summary>
    public static string Against(Bytes used, Bytes budget) => $"{used} of {budget} ({100.0 * used.Value / budget.Value:0.0}%)";

    /// <summary>How many times one is the other.</summary>
    public static string Ratio(Bytes size, Bytes budget) => $"{(double)size.Value / budget.Value:0.0}";

    /// <summary>How the keys and values of a context, and their gradients, are on the device: "whole", "in 8 segments".</summary>
    public static string Windows(Residency residency) =>
        residency.WindowSegments == 1 ? "whole" : $"in {residency.WindowSegments} segments";

    /// <summary>
    /// "1024"; where layers differ "512 (window 256) and 1024 in turn", "5 of 6912 (window 512) and 1 of 6912 in turn"; where they change
    /// often, and not in turn, how many there are of each kind.
    /// </summary>
    private static string FfnDims(ModelConfig model)
    {
        var runs = new List<(string Kind, int Layers)>();
        foreach (string kind in model.Pattern is { } pattern ? pattern.Kinds.Select(Kind) : [$"{model.FfnDim}"])
        {
            if (runs.Count > 0 && runs[^1].Kind == kind)
            {
                runs[^1] = (kind, runs[^1].Layers + 1);
            }
            else
            {
                runs.Add((kind, 1));
            }
        }

        if (runs.Count > MostRuns)
        {
            var counts = model.Layers.CountBy(l => Kind(model.Pattern![l]));
            return string.Join(" and ", counts.Select(c => $"{c.Value} of {c.Key}"));
        }

        return runs.Count == 1 ? runs[0].Kind
            : runs.All(r => r.Layers == 1) ? string.Join(" and ", runs.Select(r => r.Kind)) + " in turn"
            : string.Join(" and ", runs.Select(r => $"{r.Layers} of {r.Kind}")) + " in turn";
    }

    private static string Trained(ModelConfig model) =>
        model.TrainedParameterCount == model.ParameterCount ? "" : $" ({model.TrainedParameterCount:N0} of them trained)";

    private static string Below(int layers) =>
        layers == 1 ? "; no backward passes the first layer" : $"; no backward passes the first {layers} layers";

    private static string Kind(LayerKind kind)
    {
        string window = kind.Window is { } w ? $"window {w}" : "";
        string frozen = kind.Frozen ? "frozen" + (kind.FrozenType is { } type ? $" in {type.Name()}" : "") : "";
        string positions = kind.Positions is not { } own ? ""
            : own == RotaryPositions.None ? "no positions"
            : string.Create(CultureInfo.InvariantCulture, $"rope_theta {own.Theta}");
        string scale = kind.AttentionScale is { } s ? string.Create(CultureInfo.InvariantCulture, $"scores times {s:g3}") : "";
        string values = kind.KeysAreValues ? " that are values" : "";
        string heads = kind.Heads is { } h ? $"heads of {h.HeadDim}, {h.KvHeads} of keys{values}" : "";
        string shared = kind.SharesKv ? "keys and values of a layer below" : "";
        string convolution = kind.ConvolutionTaps is { } taps ? $"a convolution over {taps} tokens in place of attention" : "";
        string experts = kind.Experts is { } e ? $"{e.PerToken} of {e.Count} experts of {e.Dim}" : "";
        string recurrence = kind.Recurrence is { } r
            ? $"{(r.Corrects ? "linear attention" : "a state space")} of {r.Heads} heads with states of {r.KeyDim} x {r.ValueDim} "
                + "in place of attention"
            : "";
        string apart = kind.FfnApart ? "streamed apart" : "";
        string alone = kind.Sublayers switch
        {
            Sublayers.Mixer => kind.Attends ? "attention alone" : "no feed-forward",
            Sublayers.FeedForward => "no attention",
            _ => "",
        };
        string[] notes = [experts, convolution, recurrence, window, heads, positions, shared, scale, alone, apart, frozen];
        notes = [.. notes.Where(n => n != "")];
        if (kind.FfnDim == 0)
        {
            return string.Join(", ", notes);
        }

        return notes.Length == 0 ? $"{kind.FfnDim}" : $"{kind.FfnDim} ({string.Join(", ", notes)})";
    }

    /// <summary>What our own kernels go on computing, and why.</summary>
    private static string ByOwn(Workload workload)
    {
        var all = new AttentionWorkload(workload.Model, workload.Recipe, workload.Geometry);
        var passes = workload.Kind.HasBackward() ? Enum.GetValues<CudnnPass>() : [CudnnPass.Forward];
        var refused = new List<string>();
        foreach (var kind in workload.Model.Kinds.Distinct())
        {
            foreach (var pass in passes)
            {
                if (CudnnCalls.Of(all, kind, pass, out string? why) is null)
                {
                    string layers = kind.Window is { } window ? $" in layers of window {window}" : "";
                    refused.Add($"{pass.ToString().ToLowerInvariant()}{layers} ({why})");
                }
            }
        }

        return refused.Count == 0 ? "" : $"; by our own kernels the {string.Join(", the ", refused.Distinct())}";
    }

    private static string Blocks(Workload workload)
    {
        var rows = new VocabularyRows(workload.Model.VocabSize, workload.Geometry.VocabularyBlocks);
        return rows.AreCut ? $", the vocabulary in {rows.Count} blocks of {rows.PerBlock:N0} rows" : "";
    }

    private static string Stay(int resident, int all, string what) => resident switch
    {
        0 => $"none of {all} {what} stay, all travel",
        _ when resident >= all => $"all {all} {what} stay",
        _ => $"{resident} of {all} {what} stay, the others travel",
    };

    private static string Times(List<Traffic> copies) => copies.Count == 0 ? "-" : $"{copies.Sum(c => c.Copies):N0}";

    private static string Total(List<Traffic> copies) => copies.Count == 0 ? "-" : new Bytes(copies.Sum(c => c.Bytes.Value)).ToString();

    private static string Slots(int slots) => slots == 0 ? "-" : $"{slots:N0}";

    private static string Size(Bytes size) => size == Bytes.Zero ? "-" : size.ToString();
}
