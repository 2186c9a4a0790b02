using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Baseline;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>The cells of an experiment as requests for simulation; models and profiles are read once.</summary>
internal sealed class SweepRequests
{
    private readonly SweepExperiment experiment;
    private readonly Dictionary<string, ModelConfig> models = [];
    private readonly Dictionary<string, HardwareProfile> profiles = [];
    private readonly Dictionary<(string, string, int), long?> steps = [];

    /// <summary>What files of the models say in vain, a sentence each.</summary>
    public List<string> Notes { get; } = [];

    /// <exception cref="UserErrorException">A model or a profile is not there.</exception>
    public SweepRequests(SweepExperiment experiment)
    {
        this.experiment = experiment;
        foreach (string model in experiment.Models)
        {
            using var source = ModelSource.Open(model);
            models[model] = Trained(source.Model);
            Notes.AddRange(source.Notes);
        }

        foreach (string hardware in experiment.Machines.Values.Distinct())
        {
            var profile = HardwareFiles.Load(hardware);
            profiles[hardware] = experiment.Deterministic ? EfficiencyConstants.Deterministic(profile) : profile;
        }
    }

    /// <summary>All that the results depend on, but the program: the experiment, its models and its machines.</summary>
    public JsonObject Fingerprint() =>
        new()
        {
            ["experiment"] = JsonNode.Parse(experiment.Text),
            ["models"] = new JsonObject(
                models
                    .OrderBy(m => m.Key, StringComparer.Ordinal)
                    .Select(m => KeyValuePair.Create(m.Key, (JsonNode?)Hash(m.Value.ToString())))
            ),
            ["hardware"] = new JsonObject(
                profiles
                    .OrderBy(p => p.Key, StringComparer.Ordinal)
                    .Select(p => KeyValuePair.Create(p.Key, (JsonNode?)Hash(HardwareProfileWriter.Write(p.Value))))
            ),
        };

    /// <summary>The request of a cell.</summary>
    public SimulationRequest Of(SweepCell cell)
    {
        var (model, profile) = (models[cell.Model], profiles[cell.Hardware]);
        return new SimulationRequest(
            cell.Model,
            model,
            cell.Seqlen,
            new MemoryBudget(Bytes.FromGiB(cell.HostGiB), Bytes.FromGiB(cell.DeviceGiB)),
            profile,
            experiment.Policy,
            StepTokens(cell, model, profile),
            experiment.Recipe
        )
        {
            Attention = experiment.Attention,
        };
    }

    private ModelConfig Trained(ModelConfig model)
    {
        if (experiment.LoraRank is not { } rank)
        {
            return model;
        }

        var adapted = model.Adapting(new AdapterConfig { Rank = rank, Alpha = rank, Targets = ModuleNames.AllLinear });
        return experiment.BaseWeights is { } type ? adapted.Storing(type) : adapted;
    }

    private long? StepTokens(SweepCell cell, ModelConfig model, HardwareProfile profile) => experiment.Step switch
    {
        SweepStep.Given => experiment.Tokens,
        SweepStep.Published when experiment.Policy != PlanPolicy.Reference => Published(cell, model, profile),
        _ => null,
    };

    /// <summary>
    /// As many tokens as the published system's step has where memory is no object; null, the policy's choice, on machines and models that
    /// it does not know.
    /// </summary>
    private long? Published(SweepCell cell, ModelConfig model, HardwareProfile profile)
    {
        var key = (cell.Model, cell.Hardware, cell.Seqlen);
        if (!steps.TryGetValue(key, out long? tokens))
        {
            try
            {
                var plan = BaselinePlanner.Plan(
                    new BaselineRequest(
                        model,
                        BaselineMachine.Of(profile),
                        cell.Seqlen,
                        new MemoryBudget(Bytes.FromGiB(1 << 16), Bytes.FromGiB(1 << 16))
                    )
                );
                tokens = plan is BaselineResult.Feasible feasible ? (long)feasible.Plan.SequencesPerStep * cell.Seqlen : null;
            }
            catch (UserErrorException)
            {
                tokens = null;
            }

            steps[key] = tokens;
        }

        return tokens;
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];
}
