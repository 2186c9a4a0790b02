using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>An adapter as PEFT saves one: adapter_config.json and adapter_model.safetensors in a folder.</summary>
public sealed class AdapterFolder : IDisposable
{
    /// <summary>The file of its tensors.</summary>
    public const string WeightsName = "adapter_model.safetensors";

    // Of an embedding or a head that is adapted, PEFT saves the base's weight too.
    private const string BaseEnding = ".base_layer.weight";

    private static readonly Bytes s_largestConfig = new(16 << 20);
    private readonly Checkpoint tensors;

    private AdapterFolder(string path, AdapterConfig config, Checkpoint tensors) => (Path, Config, this.tensors) = (path, config, tensors);

    /// <summary>As the user gave it.</summary>
    public string Path { get; }

    /// <summary>What its config says.</summary>
    public AdapterConfig Config { get; }

    /// <summary>What the config of an adapter's folder says.</summary>
    /// <exception cref="UserErrorException">There is none, or it is of an adapter that is not computed here.</exception>
    public static AdapterConfig ConfigOf(string path)
    {
        string file = System.IO.Path.Combine(path, AdapterConfigFile.FileName);
        return File.Exists(file)
            ? AdapterConfigFile.Parse(ReadOnlyFile.ReadText(file, s_largestConfig), file)
            : throw new UserErrorException($"{path} is not an adapter: the folder holds no {AdapterConfigFile.FileName}");
    }

    /// <summary>Opens one.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="weights">The file of its tensors.</param>
    /// <exception cref="UserErrorException">The folder is none, or a file in it cannot be used.</exception>
    public static AdapterFolder Open(string path, string weights = WeightsName)
    {
        var config = ConfigOf(path);
        string file = System.IO.Path.Combine(path, weights);
        return File.Exists(file)
            ? new AdapterFolder(path, config, Checkpoint.Open(file))
            : throw new UserErrorException(
                $"{path} holds no {weights}; an adapter in a .bin file is not read: save it by PEFT's save_pretrained again"
            );
    }

    /// <summary>A model's weights with the adapter's.</summary>
    /// <param name="own">The model's own: a source of the model with this adapter, of which it need not know anything.</param>
    /// <exception cref="UserErrorException">The folder's tensors are not those that its config means in the model.</exception>
    public IWeightSource On(IWeightSource own)
    {
        return new AdaptedWeights(own, Of(tensors, own.Model), spec => spec.IsTrained);
    }

    /// <summary>The weights of a model's adapter in a file of PEFT's, or of a run's checkpoint; of all else it knows nothing.</summary>
    /// <exception cref="UserErrorException">Its tensors are not those of the model's adapter.</exception>
    internal static IWeightSource Of(Checkpoint file, ModelConfig model)
    {
        var wanted = RunTensors.Of(model).ToDictionary(t => t.Name, t => t.Shape);
        file.CheckIsOf(model, wanted, isState: false, ignored: name => name.EndsWith(BaseEnding, StringComparison.Ordinal));
        return RunTensors.Of(file, model);
    }

    /// <inheritdoc/>
    public void Dispose() => tensors.Dispose();
}
