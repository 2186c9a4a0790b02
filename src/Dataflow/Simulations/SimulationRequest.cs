using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>What is to be simulated: everything that the answer depends on.</summary>
/// <param name="ModelPath">As the user gave it.</param>
/// <param name="Model">What is trained.</param>
/// <param name="Seqlen">Tokens of a sequence.</param>
/// <param name="Budget">Device and host memory that the plan may take.</param>
/// <param name="Hardware">The machine that is simulated.</param>
/// <param name="Policy">Who plans.</param>
/// <param name="GlobalBatch">Tokens of a step; null: the policy's choice.</param>
/// <param name="Recipe">Null: bf16-sr on a GPU, fp32 on a CPU. The published system has bf16 only, which is its default.</param>
public sealed record SimulationRequest(
    string ModelPath,
    ModelConfig Model,
    int Seqlen,
    MemoryBudget Budget,
    HardwareProfile Hardware,
    PlanPolicy Policy,
    long? GlobalBatch = null,
    Recipe? Recipe = null
)
{
    /// <summary>What is fixed of the geometry.</summary>
    public GeometryPins Pins { get; init; } = new();

    /// <summary>What travelling activations keep; null is the policy's choice.</summary>
    public SaveSet? SaveSet { get; init; }

    /// <summary>Who computes attention on a GPU; null: who is faster by the profile. The published system has its own.</summary>
    public AttentionProvider? Attention { get; init; }

    /// <summary>The most that the gradients' norm may be; null leaves them alone.</summary>
    public float? ClipNorm { get; init; }

    /// <summary>The recipe, chosen if it was not given.</summary>
    public Recipe ChosenRecipe => Recipe ?? (Policy == PlanPolicy.Reference ? Recipe.Bf16 : Recipe.DefaultOn(Hardware.Kind));

    /// <summary>How parameters are updated.</summary>
    public Optimizer Optimizer { get; init; } = Optimizer.AdamW;

    /// <summary>What its figures rest on.</summary>
    public PlanStanding Standing => PlanStanding.Of(Hardware, Model, Budget);

    /// <summary>What the planner is asked; policy reference plans by itself.</summary>
    /// <exception cref="UserErrorException">The step is no whole number of rows.</exception>
    public PlanRequest ToPlan() => Question.Request;

    /// <summary>The same with what else could be asked for.</summary>
    public PlanQuestion Question =>
        new(
            new PlanOptions
            {
                Model = ModelPath,
                Seqlen = Seqlen,
                DeviceMemory = Budget.Device,
                HostMemory = Budget.Host,
                Dtype = ChosenRecipe,
                Optimizer = Optimizer,
                GlobalBatch = GlobalBatch,
                Pins = Pins,
                SaveSet = SaveSet,
                Attention = Attention,
                Hardware = Hardware,
                Device = DeviceOptions.Cpu, // the machine that is named decides
                Clip = ClipNorm,
            },
            Model,
            Budget,
            new PolicySettings(Policy, Hardware, PlanCache.None)
        );
}

/// <summary>Reads requests from JSON lines; models and profiles are read once.</summary>
internal sealed class SimulationRequestReader
{
    private static readonly string[] Keys =
    [
        "model",
        "seqlen",
        "device_memory",
        "host_memory",
        "hardware",
        "policy",
        "global_batch",
        "dtype",
        "deterministic",
        "attention",
    ];
    private readonly Dictionary<string, ModelConfig> models = [];
    private readonly Dictionary<string, HardwareProfile> machines = [];

    /// <summary>One line.</summary>
    /// <exception cref="UserErrorException">It is no request; the message says what is wrong, not where.</exception>
    public SimulationRequest Read(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Read(document.RootElement);
        }
        catch (InvalidOperationException)
        {
            // Thrown for escapes that are no characters, such as half of a surrogate pair.
            throw new UserErrorException("it is not valid JSON: a string in it has an escape that is no character");
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"it is not valid JSON: {e.Message}");
        }
    }

    /// <summary>What files of the models say in vain, a sentence each.</summary>
    public List<string> Notes { get; } = [];

    private SimulationRequest Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new UserErrorException("a JSON object was expected");
        }

        if (root.EnumerateObject().Select(p => p.Name).FirstOrDefault(name => !Keys.Contains(name)) is { } strange)
        {
            throw new UserErrorException($"\"{strange}\" is not a key of a request (here: {string.Join(", ", Keys)})");
        }

        string model = Text(root, "model") ?? throw Missing("model");
        string hardware = Text(root, "hardware") ?? throw Missing("hardware");
        if (!models.TryGetValue(model, out var config))
        {
            using var source = ModelSource.Open(model);
            Notes.AddRange(source.Notes);
            models[model] = config = source.Model;
        }

        if (!machines.TryGetValue(hardware, out var machine))
        {
            machines[hardware] = machine = HardwareFiles.Load(hardware);
        }

        return new SimulationRequest(
            model, config,
            Values.Seqlen(Number(root, "seqlen") ?? throw Missing("seqlen")),
            new MemoryBudget(
                Values.Size(Number(root, "host_memory") ?? throw Missing("host_memory")),
                Values.Size(Number(root, "device_memory") ?? throw Missing("device_memory"))
            ),
            Flag(root, "deterministic") ? EfficiencyConstants.Deterministic(machine) : machine,
            Text(root, "policy") is { } policy ? PlanPolicies.Named(policy, PlanPolicies.All) : PlanPolicy.Auto,
            Number(root, "global_batch") is { } tokens ? Values.Tokens(tokens, 1, GeometryLimits.StepTokens) : null,
            Text(root, "dtype") is { } dtype ? Values.RecipeNamed(dtype) : null)
        {
            Attention = Text(root, "attention") is { } provider ? AttentionProviders.Named(provider) : null,
        };
    }

    private static bool Flag(JsonElement root, string key) => root.TryGetProperty(key, out var value) && value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False or JsonValueKind.Null => false,
        _ => throw new UserErrorException($"\"{key}\" must be true or false, found {value.GetRawText()}"),
    };

    private static UserErrorException Missing(string key) => new($"\"{key}\" is missing");

    private static string? Text(JsonElement root, string key) =>
        root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null
            ? value.ValueKind == JsonValueKind.String
                ? value.GetString()
                : throw new UserErrorException($"\"{key}\" must be a text, found {value.GetRawText()}")
            : null;

    /// <summary>The digits of a number, or a text such as "24GiB".</summary>
    private static string? Number(JsonElement root, string key) =>
        root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null
            ? value.ValueKind switch
            {
                JsonValueKind.Number => value.GetRawText(),
                JsonValueKind.String => value.GetString(),
                _ => throw new UserErrorException($"\"{key}\" must be a number, found {value.GetRawText()}"),
            }
            : null;
}
