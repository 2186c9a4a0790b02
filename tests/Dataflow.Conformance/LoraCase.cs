using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>One folder of tests/golden-lora: an adapter, its base, and what PEFT made of them in float64.</summary>
public sealed class LoraCase : PyTorchCase
{
    private const string AdapterName = "adapter";

    /// <summary>Opens the case of that name.</summary>
    public LoraCase(string name)
        : base(
            Path.Combine(Root, name),
            expected => ModelFiles
                .LoadConfig(BaseOf(Path.Combine(Root, name), expected))
                .Adapting(AdapterFolder.ConfigOf(Path.Combine(Root, name, AdapterName)))
                .Storing(StoredAs(expected)))
    {
    }

    /// <summary>All cases.</summary>
    public static IEnumerable<string> Names =>
        Directory
            .GetDirectories(Root)
            .Where(f => System.IO.File.Exists(Path.Combine(f, "expected.json")))
            .Select(f => Path.GetFileName(f))
            .Order(StringComparer.Ordinal);

    /// <summary>The adapter's folder.</summary>
    public string AdapterPath => Path.Combine(Folder, AdapterName);

    /// <summary>The folder of the base.</summary>
    public string BasePath => BaseOf(Folder, Expected);

    /// <summary>The same adapter, of whose inputs a share is left out.</summary>
    public LoraCase WithDropout(double rate) =>
        new(Path.GetFileName(Folder)) { Model = Model.WithoutAdapter().Adapting(Model.Adapter!.Config with { Dropout = rate }) };

    /// <summary>The same adapter, of a base whose matrices are stored in a type.</summary>
    public LoraCase Storing(DType type) => new(Path.GetFileName(Folder)) { Model = Model.Storing(type) };

    /// <summary>Weights of the base, as it is stored, and of the adapter.</summary>
    public IWeightSource Weights(Checkpoint own, AdapterFolder adapter)
    {
        var weights = own.WeightsOf(Model);
        return adapter.On(Model.BaseWeights is null ? weights : new QuantizedWeights(weights, Matrices));
    }

    /// <summary>What a plan for the case depends on.</summary>
    public PlanRequest Request(Recipe recipe, WorkloadKind kind, GeometryPins? pins = null) =>
        new(Model, recipe, kind, Seqlen, Rows, pins ?? new GeometryPins(), GoldenCase.Roomy, null);

    /// <summary>A trainer with the weights of base and adapter.</summary>
    public Trainer Trainer(TrainingPlan plan, IDevice device, Executor? evaluation = null, ulong seed = 0)
    {
        var trainer = new Trainer(plan.Workload, plan.Schedule, device, evaluation, seed);
        using var checkpoint = Checkpoint.Open(BasePath);
        using var adapter = AdapterFolder.Open(AdapterPath);
        trainer.Load(Weights(checkpoint, adapter));
        return trainer;
    }

    private static string BaseOf(string folder, JsonElement expected) =>
        Path.Combine(folder, expected.GetProperty("base").GetString()!);

    /// <summary>The base's matrices as the case has them; null where they are made of the base.</summary>
    public IMatrixBytes? Matrices() => StoredAs(Expected) is null ? null : new GoldenMatrices(Folder);

    private static DType? StoredAs(JsonElement expected) =>
        !expected.TryGetProperty("quantization", out var stored) ? null
        : stored.GetProperty("nested").GetBoolean() ? DType.Nf4Nested
        : DType.Nf4;

    private static string Root => new GoldenCase("llama-small").Folder is var folder ? Path.GetDirectoryName(folder) + "-lora" : "";
}
