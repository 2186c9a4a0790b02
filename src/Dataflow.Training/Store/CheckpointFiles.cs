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
        Index is { } part ? state.Parts[part] : FileName == CheckpointFiles.Read ? state.Weights : state.Trained;

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
        Part is not null ? State(model, optimizer, recipe).Of(file)
        : model.Adapter is null ? file.WeightsOf(model)
        : AdapterFolder.Of(file, model);

    private StateTensors State(ModelConfig model, Optimizer optimizer, Recipe recipe) => new(model, optimizer, recipe, Part!);
}

/// <summary>
/// The files of a checkpoint's folder: a model folder as other programs read it (config.json, model.safetensors), the parts of the
/// optimizer's state under the weights' names, and state.json. Of a run that trains an adapter the adapter alone, as PEFT reads it: the
/// base is where it was.
/// </summary>
internal static class CheckpointFiles
{
    /// <summary>Where the run was, and the checksums of all files.</summary>
    public const string State = "state.json";

    private const string Ending = ".safetensors";

    /// <summary>The weights that steps read, where these are not what is trained.</summary>
    public const string Read = "y" + Ending;

    /// <summary>The files with tensors, in the order in which they are written.</summary>
    public static IReadOnlyList<CheckpointPart> Parts(Recipe recipe, Optimizer optimizer, bool ofAdapter) =>
        [
            new CheckpointPart(RunTensors.FileName(ofAdapter), recipe.Parameters, null),
            .. optimizer.TrainsAverage ? [new CheckpointPart(Read, recipe.Parameters, null)] : Array.Empty<CheckpointPart>(),
            .. optimizer.State(recipe).Select((part, i) => new CheckpointPart(part.Name + Ending, part.Type, i) { Part = part }),
        ];

    /// <summary>All names but <see cref="State"/>.</summary>
    public static IEnumerable<string> Names(Recipe recipe, Optimizer optimizer, bool ofAdapter) =>
        [
            ModelFiles.ConfigName,
            .. ofAdapter ? [AdapterConfigFile.FileName] : Array.Empty<string>(),
            .. Parts(recipe, optimizer, ofAdapter).Select(p => p.FileName),
        ];

    /// <summary>The files that say what the model is, with their contents.</summary>
    public static IEnumerable<(string Name, byte[] Content)> Configs(ModelConfig model)
    {
        yield return (ModelFiles.ConfigName, Encoding.UTF8.GetBytes(ModelConfigWriter.Stored(model)));
        if (model.Adapter is not null)
        {
            yield return (AdapterConfigFile.FileName, Encoding.UTF8.GetBytes(AdapterExport.ConfigOf(model, model.Name)));
        }
    }

    /// <summary>The exact length of each file but <see cref="State"/>.</summary>
    public static IEnumerable<(string Name, Bytes Length)> Lengths(ModelConfig model, Recipe recipe, Optimizer optimizer) =>
        Configs(model)
            .Select(c => (c.Name, new Bytes(c.Content.Length)))
            .Concat(
                Parts(recipe, optimizer, model.Adapter is not null)
                    .Select(p => (p.FileName, SafetensorsWriter.LengthOf(p.Tensors(model, optimizer, recipe))))
            );
}
