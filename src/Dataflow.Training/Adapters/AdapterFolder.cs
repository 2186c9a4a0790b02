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
    /// <exception cref="UserErrorException">The folder is none, or a file in it cannot be used.</exception>
    public static AdapterFolder Open(string path)
    {
        var config = ConfigOf(path);
        string file = System.IO.Path.Combine(path, WeightsName);
        return File.Exists(file)
            ? new AdapterFolder(path, config, Checkpoint.Open(file))
            : throw new UserErrorException(
                $"{path} holds no {WeightsName}; an adapter in a .bin file is not read: save it by PEFT's save_pretrained again"
            );
    }

    /// <summary>A model's weights with the adapter's.</summary>
    /// <param name="own">The model's own: a source of the model with this adapter, of which it need not know anything.</param>
    /// <exception cref="UserErrorException">The folder's tensors are not those that its config means in the model.</exception>
    public IWeightSource On(IWeightSource own)
    {
        var model = own.Model;
        var named = tensors.Named(AdapterTensors.Of(model).ToDictionary(t => t.FileName, t => t.Binding.Name));
        var wanted = AdapterTensors.Of(model).ToDictionary(t => t.Binding.Name, t => t.Binding.Shape);
        named.CheckIsOf(model, wanted, isState: false, ignored: name => name.EndsWith(BaseEnding, StringComparison.Ordinal));
        return new AdaptedWeights(own, new CheckpointWeights(named, model), spec => spec.IsTrained);
    }

    /// <inheritdoc/>
    public void Dispose() => tensors.Dispose();
}
