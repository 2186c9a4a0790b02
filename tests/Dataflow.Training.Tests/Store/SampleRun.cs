using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>
/// A run so small that its checkpoints are written thousands of times: its state after a step is a function of the step and a variant.
/// </summary>
internal static class SampleRun
{
    /// <summary>Of some dozen tensors and a few hundred numbers.</summary>
    public static ModelConfig Model { get; } = ModelFiles.LoadConfig(Golden.Folder("llama-small")) with
    {
        VocabSize = 5, ModelDim = 4, LayerCount = 1, HeadCount = 2, KvHeadCount = 1, HeadDim = 2, FfnDim = 3, Name = "sample",
    };

    /// <summary>Of one row.</summary>
    public static Geometry Geometry { get; } = new(64, 1, 64, 1, 1, 64);

    /// <summary>What a run is after a step.</summary>
    public static TrainingState State(int step, Recipe? recipe = null, ulong variant = 0)
    {
        recipe ??= Recipe.Fp32;
        IWeightSource Part(ulong part) => WeightInitialiser.Weights(Model, ((ulong)step * 1000) + (variant * 10) + part);
        return new TrainingState(
            recipe, Optimizer.AdamW, Part(0), recipe.Master is null ? [Part(1), Part(2)] : [Part(1), Part(2), Part(3)]);
    }

    /// <summary>Where a run is after a step.</summary>
    public static TrainingProgress Progress(int step, Recipe? recipe = null, ulong variant = 0)
    {
        string data = "a text \u00e4\ud83d\ude00 \"quoted\"";
        return new(step, 7, (recipe ?? Recipe.Fp32).Name, Geometry)
        {
            Settings = new Dictionary<string, string> { ["lr"] = "0.003", ["data"] = data, ["variant"] = $"{variant}", [""] = "" },
        };
    }

    /// <summary>All numbers, of all parts.</summary>
    public static float[] Values(TrainingState state) =>
        [.. state.Parts.Prepend(state.Weights).SelectMany(Values)];

    /// <summary>Reads a checkpoint whole, checking it.</summary>
    public static float[] Load(StoredCheckpoint stored)
    {
        using var reader = CheckpointReader.Open(stored, Model);
        float[] values = Values(reader.State);
        reader.Confirm();
        return values;
    }

    private static float[] Values(IWeightSource source) => [.. ParameterObject.All(Model).SelectMany(o =>
    {
        float[] values = new float[o.Layout(Model).ElementCount];
        source.Read(o, 0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    })];
}

/// <summary>Weights with one value changed.</summary>
internal sealed class WithValue(IWeightSource weights, float value, ParameterObject where, long element) : IWeightSource
{
    /// <inheritdoc/>
    public ModelConfig Model => weights.Model;

    /// <inheritdoc/>
    public void Read(ParameterObject read, long firstElement, Span<byte> destination, DType type)
    {
        weights.Read(read, firstElement, destination, type);
        long place = element - firstElement;
        int size = (int)type.Size();
        if (read == where && place >= 0 && place < destination.Length / size)
        {
            ElementConversion.FromFloats([value], destination.Slice((int)place * size, size), type);
        }
    }
}
