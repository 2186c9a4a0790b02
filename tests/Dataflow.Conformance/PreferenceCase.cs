using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>One folder of tests/golden-dpo: a loss of pairs, and what PyTorch, and TRL where it has it, made of it in float64.</summary>
public sealed class PreferenceCase : PyTorchCase
{
    /// <summary>The cases.</summary>
    public static readonly string[] Names =
        ["sigmoid", "sigmoid-smoothed", "robust", "ipo", "ipo-sums", "hinge", "sigmoid-norm", "sigmoid-and-nll"];

    /// <summary>Tokens of a row that holds two of the pairs, and how many rows hold all.</summary>
    private const int RowTokens = 64, PairsOfRow = 2;

    /// <summary>Opens the case of that name.</summary>
    public PreferenceCase(string name)
        : base(Path.Combine(Root, name), _ => ModelFiles.LoadConfig(Path.Combine(Root, "policy")), (RowTokens, Pairs.Length / PairsOfRow))
    {
    }

    /// <summary>Prompt, chosen and rejected of each pair, by ids.</summary>
    public static (int[] Prompt, int[] Chosen, int[] Rejected)[] Pairs
    {
        get
        {
            var all = JsonDocument.Parse(System.IO.File.ReadAllText(Path.Combine(Root, "preferences.json"))).RootElement;
            return [.. all.EnumerateArray().Select(p => (Ids(p, "prompt"), Ids(p, "chosen"), Ids(p, "rejected")))];

            static int[] Ids(JsonElement pair, string key) => [.. pair.GetProperty(key).EnumerateArray().Select(i => i.GetInt32())];
        }
    }

    /// <summary>The loss that is the case's.</summary>
    public PreferenceLoss Preference =>
        new(PreferenceLoss.KindNamed(Path.GetFileName(Folder) is "sigmoid-and-nll" ? "sigmoid" : Path.GetFileName(Folder))!.Value)
        {
            Beta = Expected.GetProperty("beta").GetDouble(),
            Smoothing = Expected.GetProperty("label_smoothing").GetDouble(),
            NllShare = Path.GetFileName(Folder) is "sigmoid-and-nll" ? 1 : 0,
        };

    /// <summary>The loss after the last of five steps.</summary>
    public double LastLoss => Expected.GetProperty("loss_after_last_step").GetDouble();

    /// <summary>Mean margins before each step and after the last.</summary>
    public double[] Margins => Numbers("reward_margin_before_each_step_and_after");

    /// <summary>The share of pairs whose chosen answer has the larger reward.</summary>
    public double Accuracy => Expected.GetProperty("reward_accuracy").GetDouble();

    /// <summary>Sums of log-probabilities of the policy, chosen and rejected.</summary>
    public (double Chosen, double Rejected)[] Policy => Both("policy_logps_chosen_rejected");

    /// <summary>Those of the reference.</summary>
    public (double Chosen, double Rejected)[] Reference => Both("reference_logps_chosen_rejected");

    /// <summary>Rewards.</summary>
    public (double Chosen, double Rejected)[] Rewards => Both("rewards_chosen_rejected");

    /// <summary>The loss of each pair, with the share of the negative log-likelihood.</summary>
    public double[] LossOfEach => Numbers("loss_of_each_row");

    /// <summary>The pairs in rows, with these of the reference.</summary>
    public ITokenSource PairRows(IReadOnlyList<(double Chosen, double Rejected)>? reference) =>
        new PairRows(Pairs, RowTokens, PairsOfRow, reference);

    /// <summary>What a plan for the case depends on.</summary>
    public PlanRequest Request(Recipe recipe, WorkloadKind kind, GeometryPins? pins = null) =>
        new(Model, recipe, kind, Seqlen, Rows, pins ?? new GeometryPins(), GoldenCase.Roomy, null) { Pairs = true };

    /// <summary>A trainer with the policy's weights, or the reference's.</summary>
    public Trainer Trainer(TrainingPlan plan, IDevice device, Executor? evaluation = null, string weights = "policy")
    {
        using var checkpoint = Checkpoint.Open(Path.Combine(Root, weights));
        var trainer = new Trainer(plan.Workload, plan.Schedule, device, evaluation, preference: Preference);
        trainer.Load(checkpoint.WeightsOf(plan.Workload.Model));
        return trainer;
    }

    /// <summary>The weights that training begins with.</summary>
    public Dictionary<string, float[]> Start => File(Path.Combine("..", "policy", "model.safetensors"));

    private (double, double)[] Both(string key) =>
        [.. Expected.GetProperty(key).EnumerateArray().Select(p => (p[0].GetDouble(), p[1].GetDouble()))];

    private double[] Numbers(string key) => [.. Expected.GetProperty(key).EnumerateArray().Select(n => n.GetDouble())];

    /// <summary>The folder of the cases.</summary>
    public static string Root => Path.GetDirectoryName(new GoldenCase("llama-small").Folder) + "-dpo";
}

/// <summary>Pairs in rows, so many to each.</summary>
internal sealed class PairRows(
    (int[] Prompt, int[] Chosen, int[] Rejected)[] pairs,
    int seqlen,
    int pairsOfRow,
    IReadOnlyList<(double Chosen, double Rejected)>? reference
) : ITokenSource
{
    public int RowCount => (pairs.Length + pairsOfRow - 1) / pairsOfRow;

    public int RowLength => seqlen + 1;

    public bool HasPairs => true;

    public int InputsOf(int row) => Documents(row).Sum();

    public void Read(int row, Span<int> destination)
    {
        destination.Clear();
        int at = 0;
        foreach (var (ids, _) in Of(row))
        {
            ids.CopyTo(destination[at..]);
            at += ids.Length;
        }
    }

    public IReadOnlyList<int> Documents(int row) => [.. Of(row).Select(d => d.Ids.Length)];

    public bool ReadMask(int row, Span<byte> counts)
    {
        counts.Clear();
        int at = 0;
        foreach (var (ids, prompt) in Of(row))
        {
            counts[(at + prompt - 1)..(at + ids.Length - 1)].Fill(1);
            at += ids.Length;
        }

        return true;
    }

    public double ReferenceOf(int row, int document)
    {
        int pair = (row * pairsOfRow) + (document / 2);
        return reference is null ? 0 : document % 2 == 0 ? reference[pair].Chosen : reference[pair].Rejected;
    }

    private IEnumerable<(int[] Ids, int Prompt)> Of(int row) =>
        pairs
            .Skip(row * pairsOfRow)
            .Take(pairsOfRow)
            .SelectMany(p => new[] { p.Chosen, p.Rejected }.Select(answer => ((int[])[.. p.Prompt, .. answer], p.Prompt.Length)));
}
