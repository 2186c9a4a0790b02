using Dataflow.Cpu;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Pretrained.Tests;

/// <summary>A model's folder on this engine, in fp32 on the CPU, within roomy budgets or the smallest device budget that works.</summary>
internal sealed class Engine(string folder, bool tight)
{
    private const int Threads = 2;
    private static readonly MemoryBudget s_roomy = new(Bytes.FromGiB(8), Bytes.FromGiB(8));
    private readonly ModelConfig model = ModelFiles.LoadConfig(folder);

    /// <summary>Its folder.</summary>
    public string Folder => folder;

    /// <summary>The loss of each target of a text, segment by segment, and what a segment leaves over left out.</summary>
    public float[] Losses(int[] ids, int length)
    {
        var losses = new List<float>();
        using var generator = Open(length, logitRows: 64);
        for (int begin = 0; begin + length < ids.Length; begin += length)
        {
            int from = begin;
            generator.Logits(ids[begin..(begin + length)], (token, logits) => losses.Add((float)LossOf(logits, ids[from + token + 1])));
        }

        return [.. losses];
    }

    /// <summary>Logits of tokens of a prompt.</summary>
    public Dictionary<int, float[]> Logits(int[] ids, IEnumerable<int> tokens)
    {
        var wanted = tokens.ToHashSet();
        var found = new Dictionary<int, float[]>();
        using var generator = Open(Math.Max(2, ids.Length), logitRows: 16);
        generator.Logits(ids, (token, logits) =>
        {
            if (wanted.Contains(token))
            {
                found[token] = logits.ToArray();
            }
        });
        return found;
    }

    /// <summary>What follows prompts, side by side, greedy, up to the model's end.</summary>
    public int[][] Continue(IReadOnlyList<int[]> prompts, int most, bool ignoreEnd = false)
    {
        var found = prompts.Select(_ => new List<int>()).ToArray();
        using var generator = Open(prompts.Max(p => p.Length) + most, logitRows: 1, prompts.Count, most, ignoreEnd);
        foreach (var piece in generator.Continue(prompts))
        {
            found[piece.Prompt].Add(piece.Id);
        }

        return [.. found.Select(f => f.ToArray())];
    }

    /// <summary>The gradient of a row's mean loss, by the checkpoint's names.</summary>
    public Dictionary<string, float[]> Gradients(int[] row)
    {
        var result = new Dictionary<string, float[]>();
        Train(WorkloadKind.Gradients, [row], trainer =>
        {
            trainer.Step(new Rows([row]), [0], default);
            foreach (var tensor in WeightNames.Enumerate(model))
            {
                float[] values = new float[tensor.ElementCount];
                tensor.Read(trainer.Gradients, 0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
                result[tensor.Name] = values;
            }
        });
        return result;
    }

    /// <summary>The loss before each of so many steps of AdamW on the same rows, and after them.</summary>
    public double[] AdamW(int[][] rows, int losses)
    {
        double[] result = new double[losses];
        int[] all = [.. Enumerable.Range(0, rows.Length)];
        Train(WorkloadKind.Training, rows, trainer =>
        {
            for (int i = 0; i < losses; i++)
            {
                result[i] = trainer.Step(new Rows(rows), all, new OptimizerSettings(1e-5f, 0.9f, 0.95f, 1e-8f, 0.1f)).Loss;
            }
        });
        return result;
    }

    /// <summary>The loss of a target, in nats.</summary>
    public static double LossOf(ReadOnlySpan<float> logits, int target)
    {
        float most = float.NegativeInfinity;
        foreach (float logit in logits)
        {
            most = Math.Max(most, logit);
        }

        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp((double)logit - most);
        }

        return most + Math.Log(sum) - logits[target];
    }

    /// <summary>Ready to continue sequences.</summary>
    public TextGenerator Open(int seqlen, int logitRows, int batch = 1, int? most = null, bool ignoreEnd = false)
    {
        var cache = new CacheRequest(batch, seqlen, Math.Max(batch, logitRows));
        var request = new PlanRequest(
            model, Recipe.Fp32, WorkloadKind.Generation, Math.Min(seqlen, 512), null, new GeometryPins(), s_roomy) { Cache = cache };
        var budget = Budget(request);
        return TextGenerator.Open(new GenerationOptions
        {
            Plan = new PlanOptions
            {
                Model = folder, Seqlen = seqlen, Dtype = Recipe.Fp32, DeviceMemory = budget.Device, HostMemory = budget.Host,
                Device = DeviceOptions.Cpu with { Threads = Threads },
            },
            Batch = batch,
            LogitRows = logitRows,
            MaxTokens = most,
            IgnoreEnd = ignoreEnd,
        });
    }

    private void Train(WorkloadKind kind, int[][] rows, Action<Trainer> use)
    {
        var request = new PlanRequest(model, Recipe.Fp32, kind, rows[0].Length - 1, rows.Length, new GeometryPins(), s_roomy);
        var plan = Planner.Plan(request with { Budget = Budget(request) }) is PlanResult.Feasible feasible
            ? feasible.Plan : throw new InvalidOperationException("no plan");
        using var device = new CpuDevice(plan.Schedule, plan.Workload, Threads);
        using var checkpoint = Checkpoint.Open(folder);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(checkpoint.WeightsOf(model));
        use(trainer);
    }

    private MemoryBudget Budget(PlanRequest request) =>
        tight ? s_roomy with { Device = Planner.Smallest(request).Device!.Value } : s_roomy;

    private sealed class Rows(int[][] rows) : ITokenSource
    {
        public int RowCount => rows.Length;

        public int RowLength => rows[0].Length;

        public void Read(int row, Span<int> destination) => rows[row].CopyTo(destination);

        public IReadOnlyList<int>? Documents(int row) => null;
    }
}
