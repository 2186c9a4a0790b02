using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Benchmarks;

/// <summary>A model whose training steps are measured on this CPU.</summary>
/// <param name="Model">The network.</param>
/// <param name="Rows">Of <see cref="Seqlen"/> tokens in a step.</param>
/// <param name="Turns">Steps that count.</param>
internal sealed record PeerCase(ModelConfig Model, int Rows, int Turns)
{
    /// <summary>Tokens of a row.</summary>
    public const int Seqlen = 256;

    private static readonly ModelConfig s_larger = new()
    {
        Name = "112m",
        VocabSize = 32000,
        ModelDim = 768,
        LayerCount = 12,
        HeadCount = 12,
        KvHeadCount = 4,
        HeadDim = 64,
        FfnDim = 2480,
        RopeTheta = 10000,
        RmsNormEps = 1e-5f,
        TiedEmbedding = true,
    };

    /// <summary>6, 112 and 135 million parameters; the last has the shapes of a pretrained model.</summary>
    public static IReadOnlyList<PeerCase> All()
    {
        using ModelSource micro = ModelSource.Open("micro"), pretrained = ModelSource.Open("smollm2-135m");
        return [new(micro.Model, 4, 20), new(s_larger, 2, 6), new(pretrained.Model, 2, 6)];
    }

    /// <summary>Its plan where memory is ample.</summary>
    public TrainingPlan Plan(Recipe recipe)
    {
        var budget = new MemoryBudget(Bytes.FromGiB(5), Bytes.FromGiB(5));
        return Plans.Require(
            Planner.Plan(new PlanRequest(Model, recipe, WorkloadKind.Training, Seqlen, Rows, new GeometryPins(), budget)));
    }
}
