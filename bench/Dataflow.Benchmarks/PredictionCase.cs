using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Benchmarks;

/// <summary>A step of models/micro.json that is predicted and measured.</summary>
/// <param name="Name">Of its row: what is unlike the others.</param>
/// <param name="Device">GiB of the device.</param>
/// <param name="Host">GiB of the host.</param>
/// <param name="Rows">Of 256 tokens, in two rounds where there is more than one.</param>
/// <param name="Optimizer">How weights are updated.</param>
internal sealed record PredictionCase(string Name, double Device, double Host, int Rows, Optimizer Optimizer)
{
    /// <summary>Tokens of a row.</summary>
    public const int Seqlen = 256;

    /// <summary>Rows of the largest step.</summary>
    public const int MostRows = 4;

    private const int ChunkTokens = 128;

    // All travels and the widest tensor is recomputed; all travels, nothing is; all stays.
    private static readonly (string Name, double Device, double Host)[] s_budgets =
    [
        ("tight", 0.021, 0.11),
        ("middle", 0.03, 0.25),
        ("ample", 0.2, 0.5),
    ];

    /// <summary>Patterns of tensors that the step leaves as they are.</summary>
    public string[] Frozen { get; init; } = [];

    /// <summary>Patterns of tensors with numbers of their own.</summary>
    public ParameterGroups Groups { get; init; } = ParameterGroups.None;

    /// <summary>Budgets, four rows a step.</summary>
    public static IEnumerable<PredictionCase> Budgets =>
        s_budgets.Select(b => new PredictionCase(b.Name, b.Device, b.Host, MostRows, Optimizer.AdamW));

    /// <summary>Optimizers, one row a step, so that updates are a good part of it; under the middle budget.</summary>
    public static IEnumerable<PredictionCase> Optimizers =>
        [
            .. Optimizer.All.Select(o => Middle(o.Name, o)),
            Middle("adamw, --ema", Optimizer.AdamW.Averaged!),
            Middle("adamw, --group", Optimizer.AdamW) with
            {
                Groups = new ParameterGroups
                {
                    NoDecay = ParameterClasses.Norms,
                    Groups = [ParameterGroup.Parse("*.q_proj.*|*.down_proj.*:factor=0.5,decay=0")],
                },
            },
            Middle("adamw, lower half frozen", Optimizer.AdamW) with { Frozen = ["model.embed_tokens.*", "model.layers.[0-2].*"] },
        ];

    /// <summary>What is planned.</summary>
    /// <param name="model">With nothing frozen.</param>
    public PlanRequest Request(ModelConfig model) =>
        new(
            Frozen.Length == 0 ? model : model with { Frozen = FrozenTensors.Of(model, Frozen) },
            Recipe.Fp32,
            WorkloadKind.Training,
            Seqlen,
            Rows,
            new GeometryPins(ChunkTokens, Rounds: Rows > 1 ? 2 : 1),
            new MemoryBudget(Bytes.FromGiB(Host), Bytes.FromGiB(Device))
        )
        {
            Optimizer = Optimizer,
        };

    private static PredictionCase Middle(string name, Optimizer optimizer)
    {
        var (_, device, host) = s_budgets[1];
        return new PredictionCase(name, device, host, 1, optimizer);
    }
}
