using System.Text.Json;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Reads sweep configs (bench/sweeps/README.md has the format).</summary>
public static class SweepConfig
{
    private const int MostCells = 100_000;
    private static readonly Bytes LargestConfig = new(16 << 20);
    private static readonly string[] Keys = ["about", "experiments"];
    private static readonly string[] ExperimentKeys =
    [
        "about",
        "machines",
        "models",
        "grids",
        "policy",
        "dtype",
        "step_tokens",
        "deterministic",
        "attention",
        "lora_rank",
        "base_weights",
        "measure",
    ];
    private static readonly string[] GridKeys = ["seqlens", "host_gib", "device_gib"];
    private static readonly string[] MeasureKeys = ["device", "data", "steps", "warmup_steps", "warmup_seconds", "limit_seconds"];

    /// <summary>The experiment of that name.</summary>
    /// <exception cref="UserErrorException">The file is no config or has no such experiment.</exception>
    public static SweepExperiment Read(string path, string name) =>
        Read(path, all =>
            all.TryGetProperty(name, out var experiment)
                ? Experiment(name, experiment)
                : throw new UserErrorException(
                    $"there is no experiment '{name}'; choose {string.Join(", ", all.EnumerateObject().Select(p => p.Name))}"
                )
        );

    /// <summary>All experiments.</summary>
    /// <exception cref="UserErrorException">The file is no config or has no experiment.</exception>
    public static IReadOnlyList<SweepExperiment> ReadAll(string path) =>
        Read(path, all =>
            all.EnumerateObject().Select(e => Experiment(e.Name, e.Value)).ToList() is { Count: > 0 } experiments
                ? experiments
                : throw new UserErrorException("\"experiments\" has none")
        );

    private static T Read<T>(string path, Func<JsonElement, T> read)
    {
        string text = InputFile.ReadText(path, LargestConfig);
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            Known(document.RootElement, Keys, "the config");
            return read(Member(document.RootElement, "experiments", JsonValueKind.Object, "an object of experiments by name"));
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{path}: it is not valid JSON: {e.Message}");
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException($"{path}: {e.Message}");
        }
        catch (InvalidOperationException)
        {
            // Thrown for escapes that are no characters, such as half of a surrogate pair.
            throw new UserErrorException($"{path}: it is not valid JSON: a string in it has an escape that is no character");
        }
    }

    private static SweepExperiment Experiment(string name, JsonElement json)
    {
        Known(json, ExperimentKeys, $"experiment {name}");
        var machines = Member(
                json,
                "machines",
                JsonValueKind.Object,
                "an object such as { \"H100\": \"h100-sxm\" }: names for the results and hardware profiles"
            )
            .EnumerateObject()
            .ToDictionary(m => m.Name, m => Text(m.Value, "machines"));
        string[] models = [.. Items(json, "models").Select(m => Text(m, "models"))];
        SweepGrid[] grids = [.. Items(json, "grids").Select(Grid)];
        if (machines.Count == 0 || machines.Keys.Any(string.IsNullOrWhiteSpace))
        {
            throw new UserErrorException("\"machines\" has none, or one without a name");
        }

        double cells =
            machines.Count * (double)models.Length * grids.Sum(g => (double)g.Seqlens.Length * g.HostGiB.Length * g.DeviceGiB.Length);
        if (cells > MostCells)
        {
            throw new UserErrorException($"experiment {name} has {cells:N0} cells; cut it into experiments of at most {MostCells:N0}");
        }

        var policy = json.TryGetProperty("policy", out var given)
            ? PlanPolicies.Named(Text(given, "policy"), PlanPolicies.All)
            : PlanPolicy.Auto;
        var measure = json.TryGetProperty("measure", out var how) ? Measurement(how) : null;
        if (measure is not null && !PlanPolicies.Running.Contains(policy))
        {
            throw new UserErrorException(
                $"policy {PlanPolicies.NameOf(policy)} makes plans that are simulated alone; leave out \"measure\", or choose auto or "
                    + $"simple"
            );
        }

        AttentionProvider? attention =
            json.TryGetProperty("attention", out var provider) ? AttentionProviders.Named(Text(provider, "attention")) : null;
        if (attention is not null && policy == PlanPolicy.Reference)
        {
            throw new UserErrorException("policy reference has an attention of its own: leave out \"attention\", or choose another policy");
        }

        int? rank = json.TryGetProperty("lora_rank", out var ranks)
            ? (int)Values.Whole(Number(ranks, "lora_rank"), 1, AdapterConfig.MostRank)
            : null;
        DType? stored = json.TryGetProperty("base_weights", out var type) ? Values.BaseWeights(Text(type, "base_weights")) : null;
        if (stored is not null && rank is null)
        {
            throw new UserErrorException("\"base_weights\" is what the base of an adapter is stored in: give \"lora_rank\", too");
        }

        if (rank is not null && policy == PlanPolicy.Reference)
        {
            throw new UserErrorException("policy reference has no adapters: leave out \"lora_rank\", or choose another policy");
        }

        var (step, tokens) = Step(json);
        return new SweepExperiment
        {
            Name = name,
            Machines = machines,
            Models = models,
            Grids = grids,
            Policy = policy,
            Recipe = json.TryGetProperty("dtype", out var dtype) ? Values.RecipeNamed(Text(dtype, "dtype")) : null,
            Step = step,
            Tokens = tokens,
            Deterministic =
                json.TryGetProperty("deterministic", out var flag)
                && (
                    flag.ValueKind is JsonValueKind.True or JsonValueKind.False
                        ? flag.GetBoolean()
                        : throw new UserErrorException("\"deterministic\" must be true or false")
                ),
            Attention = attention,
            LoraRank = rank,
            BaseWeights = stored,
            Measurement = measure,
            Text = JsonSerializer.Serialize(json),
        };
    }

    private static (SweepStep Step, long Tokens) Step(JsonElement json) =>
        !json.TryGetProperty("step_tokens", out var step) ? (SweepStep.Policy, 0)
        : step.ValueKind == JsonValueKind.Number ? (SweepStep.Given, Values.Whole(step.GetRawText(), 1, GeometryLimits.StepTokens))
        : step.ValueKind == JsonValueKind.String && step.GetString() == "published" ? (SweepStep.Published, 0)
        : throw new UserErrorException($"\"step_tokens\" must be a number of tokens or \"published\", found {step.GetRawText()}");

    private static SweepGrid Grid(JsonElement json)
    {
        Known(json, GridKeys, "a grid");
        return new SweepGrid(
            [.. Items(json, "seqlens").Select(s => Values.Seqlen(Number(s, "seqlens")))],
            [.. Items(json, "host_gib").Select(s => GiB(s, "host_gib"))],
            [.. Items(json, "device_gib").Select(s => GiB(s, "device_gib"))]);
    }

    private static SweepMeasurement Measurement(JsonElement json)
    {
        Known(json, MeasureKeys, "\"measure\"");
        double Real(string key, double otherwise) =>
            !json.TryGetProperty(key, out var v) ? otherwise
            : v.ValueKind == JsonValueKind.Number && v.GetDouble() is >= 0 and < 1e9 and var number ? number
            : throw new UserErrorException($"\"{key}\" must be a number of at least 0, found {v.GetRawText()}");
        int Count(string key, int least, int otherwise) =>
            json.TryGetProperty(key, out var v) ? (int)Values.Whole(Number(v, key), least, 1_000_000) : otherwise;
        string device = json.TryGetProperty("device", out var d) ? Text(d, "device") : "cpu";
        var measure = new SweepMeasurement(
            device is "cpu" or "cuda" or "cuda-emulated"
                ? device
                : throw new UserErrorException($"\"device\" must be \"cpu\", \"cuda\" or \"cuda-emulated\", found '{device}'"),
            json.TryGetProperty("data", out var data)
                ? Text(data, "data")
                : throw new UserErrorException("\"data\" is missing in \"measure\"; name a text to train on"),
            Count("steps", 1, 6),
            Count("warmup_steps", 0, 1),
            Real("warmup_seconds", 0),
            Real("limit_seconds", 3600)
        );
        return measure.WarmupSteps < measure.Steps
            ? measure
            : throw new UserErrorException(
                $"of {measure.Steps} steps {measure.WarmupSteps} are warm-up; give more \"steps\" or fewer \"warmup_steps\""
            );
    }

    private static double GiB(JsonElement json, string key)
    {
        string text = Number(json, key);
        _ = Values.Size(text);
        return json.GetDouble();
    }

    private static void Known(JsonElement json, string[] keys, string what)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new UserErrorException($"{what} must be a JSON object");
        }

        if (json.EnumerateObject().Select(p => p.Name).FirstOrDefault(n => !keys.Contains(n)) is { } strange)
        {
            throw new UserErrorException($"\"{strange}\" is not a key of {what} (here: {string.Join(", ", keys)})");
        }
    }

    private static JsonElement Member(JsonElement json, string key, JsonValueKind kind, string what) =>
        json.TryGetProperty(key, out var value) && value.ValueKind == kind
            ? value
            : throw new UserErrorException($"\"{key}\" must be {what}");

    private static JsonElement[] Items(JsonElement json, string key) =>
        Member(json, key, JsonValueKind.Array, "a list").EnumerateArray().ToArray() is { Length: > 0 } items
            ? items
            : throw new UserErrorException($"\"{key}\" is empty; give at least one");

    private static string Text(JsonElement json, string key) =>
        json.ValueKind == JsonValueKind.String && !string.IsNullOrWhiteSpace(json.GetString())
            ? json.GetString()!
            : throw new UserErrorException($"\"{key}\" must have texts, found {json.GetRawText()}");

    private static string Number(JsonElement json, string key) =>
        json.ValueKind == JsonValueKind.Number
            ? json.GetRawText()
            : throw new UserErrorException($"\"{key}\" must have numbers, found {json.GetRawText()}");
}
