using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>Models of a layer or two whose attention differs, wide enough for fused kernels, on two rows of 256 tokens.</summary>
public static class AttentionVariants
{
    private const int Seqlen = 256;
    private const int Rows = 2;

    private static readonly ModelConfig s_grouped = new()
    {
        Name = "attention",
        VocabSize = 96,
        ModelDim = 32,
        LayerCount = 1,
        HeadCount = 4,
        KvHeadCount = 2,
        HeadDim = 64,
        FfnDim = 48,
        RopeTheta = 10000,
        RmsNormEps = 1e-5f,
    };

    /// <summary>Of all variants.</summary>
    public static IEnumerable<string> Names => s_all.Keys;

    private static readonly Dictionary<string, ModelConfig> s_all = new()
    {
        ["grouped"] = s_grouped,
        ["capped"] = s_grouped with { KvHeadCount = 4, AttentionSoftcap = 0.5, AttentionScale = 0.3 },
        ["windows"] = s_grouped with
        {
            LayerCount = 2,
            HeadCount = 2,
            KvHeadCount = 1,
            HeadDim = 96,
            Pattern = new LayerPattern(new LayerKind(48, 100), new LayerKind(48)),
        },
    };

    /// <summary>A request for the gradients of a variant in bf16.</summary>
    public static PlanRequest Request(string name, int chunk, CudnnTarget? cudnn) =>
        new(s_all[name], Recipe.Bf16, WorkloadKind.Gradients, Seqlen, Rows, new GeometryPins(chunk), GoldenCase.Roomy)
        {
            Attention = cudnn is { } target ? new AttentionByCudnn(target, Pinned: true) : null,
        };

    /// <summary>Loss and gradients of one step from initial weights; disposes of the device.</summary>
    public static (double Loss, Dictionary<string, float[]> Tensors) Gradients(TrainingPlan plan, IDevice device)
    {
        using (device)
        {
            var trainer = new Trainer(plan.Workload, plan.Schedule, device);
            trainer.Load(WeightInitialiser.Weights(plan.Workload.Model, 1));
            var report = trainer.Step(new Tokens(plan.Workload.Model.VocabSize), [0, 1], plan.Workload.Optimizer.Defaults);
            return (report.Loss, GoldenCase.Tensors(trainer.Gradients));
        }
    }

    private sealed class Tokens(int vocabulary) : ITokenSource
    {
        public int RowCount => Rows;

        public int RowLength => Seqlen + 1;

        public IReadOnlyList<int>? Documents(int row) => null;

        public void Read(int row, Span<int> destination)
        {
            var random = new Random(row + 1);
            foreach (ref int id in destination)
            {
                id = random.Next(vocabulary);
            }
        }
    }
}
