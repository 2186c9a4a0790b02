using System.Text;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>A file of tensors.</summary>
/// <param name="FileName">In the checkpoint's folder.</param>
/// <param name="Type">Of the numbers in it.</param>
/// <param name="StatePart">Which part of the optimizer's state it holds; null: the weights.</param>
internal readonly record struct CheckpointPart(string FileName, DType Type, int? StatePart)
{
    /// <summary>What it holds, or is to hold, of a state.</summary>
    public IWeightSource Of(TrainingState state) => StatePart is { } part ? state.Parts[part] : state.Weights;
}

/// <summary>
/// The files of a checkpoint's folder: a model folder as other programs read it (config.json, model.safetensors), the parts of the
/// optimizer's state under the weights' names, and state.json.
/// </summary>
internal static class CheckpointFiles
{
    /// <summary>Where the run was, and the checksums of all files.</summary>
    public const string State = "state.json";

    private const string Ending = ".safetensors";

    /// <summary>The files with tensors, in the order in which they are written.</summary>
    public static IReadOnlyList<CheckpointPart> Parts(Recipe recipe, Optimizer optimizer) =>
        [
            new CheckpointPart(Checkpoint.FileName, recipe.Parameters, null),
            .. optimizer.State(recipe).Select((part, i) => new CheckpointPart(part.Name + Ending, part.Type, i)),
        ];

    /// <summary>All names but <see cref="State"/>.</summary>
    public static IEnumerable<string> Names(Recipe recipe, Optimizer optimizer) =>
        Parts(recipe, optimizer).Select(p => p.FileName).Prepend(ModelFiles.ConfigName);

    /// <summary>The exact length of each file but <see cref="State"/>.</summary>
    public static IEnumerable<(string Name, Bytes Length)> Lengths(ModelConfig model, Recipe recipe, Optimizer optimizer) =>
        Parts(recipe, optimizer).Select(p => (p.FileName, SafetensorsWriter.LengthOf(CheckpointWriter.Tensors(model, p.Type))))
            .Prepend((ModelFiles.ConfigName, new Bytes(Encoding.UTF8.GetByteCount(ModelConfigWriter.Stored(model)))));
}
