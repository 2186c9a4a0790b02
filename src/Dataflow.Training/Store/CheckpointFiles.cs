using System.Text;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>A file of tensors.</summary>
/// <param name="FileName">In the checkpoint's folder.</param>
/// <param name="Type">Of the numbers in it.</param>
/// <param name="Index">Which part of the optimizer's state it holds; null: the weights.</param>
internal readonly record struct CheckpointPart(string FileName, DType Type, int? Index)
{
    /// <summary>The part of the optimizer's state; null: the weights.</summary>
    public StatePart? Part { get; init; }

    /// <summary>What it holds, or is to hold, of a state.</summary>
    public IWeightSource Of(TrainingState state) =>
        Index is { } part ? state.Parts[part] : FileName == Checkpoint.FileName ? state.Trained : state.Weights;

    /// <summary>Its tensors.</summary>
    public IReadOnlyList<TensorToWrite> Tensors(ModelConfig model, Optimizer optimizer, Recipe recipe) =>
        Part is null ? CheckpointWriter.Tensors(model, Type) : State(model, optimizer, recipe).ToWrite;

    /// <summary>Writes them.</summary>
    /// <exception cref="OperationCanceledException">That was asked for, between two pieces.</exception>
    public void Fill(SafetensorsWriter writer, TrainingState state, CancellationToken cancel)
    {
        if (Part is null)
        {
            CheckpointWriter.Fill(writer, Of(state), Type, cancel);
        }
        else
        {
            State(state.Model, state.Optimizer, state.Recipe).Fill(writer, Of(state), cancel);
        }
    }

    /// <summary>Its numbers in a file.</summary>
    /// <exception cref="UserErrorException">The tensors are another model's.</exception>
    public IWeightSource Of(Checkpoint file, ModelConfig model, Optimizer optimizer, Recipe recipe) =>
        Part is null ? file.WeightsOf(model) : State(model, optimizer, recipe).Of(file);

    private StateTensors State(ModelConfig model, Optimizer optimizer, Recipe recipe) => new(model, optimizer, recipe, Part!);
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

    /// <summary>The weights that steps read, where these are not what is trained.</summary>
    private const string Read = "y" + Ending;

    /// <summary>The files with tensors, in the order in which they are written.</summary>
    public static IReadOnlyList<CheckpointPart> Parts(Recipe recipe, Optimizer optimizer) =>
        [
            new CheckpointPart(Checkpoint.FileName, recipe.Parameters, null),
            .. optimizer.TrainsAverage ? [new CheckpointPart(Read, recipe.Parameters, null)] : Array.Empty<CheckpointPart>(),
            .. optimizer.State(recipe).Select((part, i) => new CheckpointPart(part.Name + Ending, part.Type, i) { Part = part }),
        ];

    /// <summary>All names but <see cref="State"/>.</summary>
    public static IEnumerable<string> Names(Recipe recipe, Optimizer optimizer) =>
        Parts(recipe, optimizer).Select(p => p.FileName).Prepend(ModelFiles.ConfigName);

    /// <summary>The exact length of each file but <see cref="State"/>.</summary>
    public static IEnumerable<(string Name, Bytes Length)> Lengths(ModelConfig model, Recipe recipe, Optimizer optimizer) =>
        Parts(recipe, optimizer).Select(p => (p.FileName, SafetensorsWriter.LengthOf(p.Tensors(model, optimizer, recipe))))
            .Prepend((ModelFiles.ConfigName, new Bytes(Encoding.UTF8.GetByteCount(ModelConfigWriter.Stored(model)))));
}
