using System.Text;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>What a file of tensors holds.</summary>
internal enum CheckpointPart
{
    Weights,
    FirstMoments,
    SecondMoments,
    MasterWeights,
}

/// <summary>
/// The files of a checkpoint's folder: a model folder as other programs read it (config.json, model.safetensors), both moments and the
/// master weights if there are any under the weights' names, and state.json.
/// </summary>
internal static class CheckpointFiles
{
    /// <summary>Where the run was, and the checksums of all files.</summary>
    public const string State = "state.json";

    /// <summary>The files with tensors, in the order in which they are written.</summary>
    public static IReadOnlyList<CheckpointPart> Parts(Recipe recipe) =>
        [.. Enum.GetValues<CheckpointPart>().Where(part => part != CheckpointPart.MasterWeights || recipe.Master is not null)];

    /// <summary>The file's name.</summary>
    public static string Name(CheckpointPart part) => part switch
    {
        CheckpointPart.Weights => Checkpoint.FileName,
        CheckpointPart.FirstMoments => "first_moments.safetensors",
        CheckpointPart.SecondMoments => "second_moments.safetensors",
        _ => "master_weights.safetensors",
    };

    /// <summary>Of the numbers in it.</summary>
    public static DType Type(CheckpointPart part, Recipe recipe) => part switch
    {
        CheckpointPart.Weights => recipe.Parameters,
        CheckpointPart.MasterWeights => recipe.TypeOf(OptimizerPart.Master),
        _ => recipe.Moments,
    };

    /// <summary>All names but <see cref="State"/>.</summary>
    public static IEnumerable<string> Names(Recipe recipe) => Parts(recipe).Select(Name).Prepend(ModelFiles.ConfigName);

    /// <summary>The exact length of each file but <see cref="State"/>.</summary>
    public static IEnumerable<(string Name, Bytes Length)> Lengths(ModelConfig model, Recipe recipe) =>
        Parts(recipe).Select(p => (Name(p), SafetensorsWriter.LengthOf(CheckpointWriter.Tensors(model, Type(p, recipe)))))
            .Prepend((ModelFiles.ConfigName, new Bytes(Encoding.UTF8.GetByteCount(ModelConfigWriter.Stored(model)))));
}
